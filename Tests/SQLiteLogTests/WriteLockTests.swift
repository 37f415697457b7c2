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
            // Whoever comes back at once goes behind all that wait.
            WriteLock(file).withLock { order.withLock { $0.append(0) } }
            try await eventually { ended.withLock { $0 } == 5 }
            #expect(order.withLock { $0 } == [1, 2, 3, 4, 5, 0])
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
