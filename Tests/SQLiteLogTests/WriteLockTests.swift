import EventLog
import Foundation
import Synchronization
import Testing

@testable import SQLiteLog

@Suite struct WriteLockTests {
    /// The number drawn last, as the file has it.
    private func lastTicket(_ file: LockFile) -> Int64 {
        var last: Int64 = 0
        _ = pread(file.descriptor, &last, 8, 0)
        return last
    }

    @Test func writersGoInTheOrderInWhichTheyAsked() async throws {
        try await withFolder { folder in
            let path = folder.path + "/lock"
            let file = try LockFile(path: path)
            let order = Mutex<[Int]>([])
            let ended = Mutex(0)
            try WriteLock(file).withLock {
                for writer in 1...5 {
                    let lock = WriteLock(try LockFile(path: path))
                    Thread {
                        lock.withLock { order.withLock { $0.append(writer) } }
                        ended.withLock { $0 += 1 }
                    }.start()
                    // The next one asks when this one has drawn its number.
                    while lastTicket(file) < Int64(writer) + 1 { usleep(100) }
                }
                #expect(order.withLock { $0.isEmpty })
            }
            try await eventually { ended.withLock { $0 } == 5 }
            #expect(order.withLock { $0 } == [1, 2, 3, 4, 5])
        }
    }

    @Test func aBusyWriterCannotStarveAnother() async throws {
        try await withFolder { folder in
            let path = folder.path + "/lock"
            let (busy, other) = (WriteLock(try LockFile(path: path)), WriteLock(try LockFile(path: path)))
            let turns = Mutex(0)
            let isOver = Atomic<Bool>(false)
            let ended = Atomic<Bool>(false)
            Thread {
                while !isOver.load(ordering: .acquiring) {
                    busy.withLock {
                        turns.withLock { $0 += 1 }
                        usleep(200)
                    }
                }
                ended.store(true, ordering: .releasing)
            }.start()
            try await eventually { turns.withLock { $0 } > 0 }
            for _ in 0..<50 {
                let before = turns.withLock { $0 }
                let after = other.withLock { turns.withLock { $0 } }
                // The turn that ran when we asked, and one that may have begun just before we drew our number.
                #expect(after - before <= 2)
            }
            isOver.store(true, ordering: .releasing)
            try await eventually { ended.load(ordering: .acquiring) }
        }
    }

    @Test func aWriterStoppedInTheQueueIsPassedOver() async throws {
        try await withFolder { folder in
            let path = folder.path + "/lock"
            let stopped = try LockFile(path: path)
            var number: Int64 = 1
            _ = pwrite(stopped.descriptor, &number, 8, 0)
            #expect(stopped.tryLock(1 << 32 + number))
            let passed = try WriteLock(LockFile(path: path)).withLock { true }
            #expect(passed)
        }
    }
}
