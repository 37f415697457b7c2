import EventLog
import Foundation
import Synchronization
import Testing

@testable import Spill

/// A disk with little room: an outage may use it up to the bound, and what comes after must go on.
@Suite struct DiskTests {
    typealias Scene = SpillingProducerTests.Scene

    /// A disk of so many bytes, of which the spill's files and `others` take some.
    private final class SmallDisk: Sendable {
        let bytes: Int64
        let others = Mutex<Int64>(0)
        init(_ bytes: Int64) { self.bytes = bytes }

        @Sendable func free(_ directory: String) -> Int64 { max(0, bytes - used(directory) - others.withLock { $0 }) }

        func used(_ directory: String) -> Int64 {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            return files.reduce(0) { $0 + fileSize("\(directory)/\($1)") }
        }
    }

    private static let large = String(repeating: "x", count: 6 << 20)
    private static func text(_ name: String) -> String { name + String(repeating: ".", count: 100_000) }

    /// Gives records until the disk has no more room for them; how many were answered.
    private func outage(_ name: String, _ scene: Scene) async throws -> Int {
        scene.log.set(.fail(.notDurable))
        var given = 0
        let before = scene.answers.stored.count
        // A refusal may be a look at the disk that is a second old.
        var refusals = 0
        while refusals < 30 {
            let texts = (0..<10).map { Self.text("\(name)-\(given + $0)-") }
            given += texts.count
            for (number, text) in texts.enumerated() { scene.give(text, key: "\(number)") }
            try await scene.passUntil("they are answered") { scene.answers.count(of: texts) == texts.count }
            refusals = scene.answers.failed[texts[9]] == nil ? 0 : refusals + 1
        }
        return scene.answers.stored.count - before
    }

    private func drain(_ scene: Scene) async throws {
        scene.log.set(.accept)
        try await scene.passUntil("drained") { scene.spill.heldRecords == 0 }
        await scene.pass(.seconds(3))
    }

    /// With a large rejected record the file cannot be made smaller; then its free pages are the room.
    @Test(arguments: [false, true]) func theNextOutageHasTheRoomThatTheFirstHad(isRejecting: Bool) async throws {
        let disk = SmallDisk(88 << 20)
        try await withFolder { folder in
            let scene = try await Scene(folder) { configuration in
                configuration.minFreeBytes = 64 << 20
                configuration.freeBytes = disk.free
            }
            if isRejecting {
                scene.log.refuse { $0.value?.count == 6 << 20 ? .recordTooLarge : nil }
                scene.give(Self.large)
                try await scene.passUntil("it is rejected") { scene.spill.state.withLock(\.totals.rejectedHeld) == 1 }
                try await drain(scene)
            }
            let first = try await outage("first", scene)
            #expect(first > 20)
            #expect(disk.free(folder) > 48 << 20)
            try await drain(scene)
            if !isRejecting { #expect(disk.used(folder) < 2 << 20) }
            #expect(scene.spill.canAccept)
            let second = try await outage("second", scene)
            #expect(second >= first * 3 / 4, "\(second) after \(first)")
            try await drain(scene)
            #expect(Set(scene.log.stored).union(isRejecting ? [Self.large] : []) == scene.answers.stored)
            try await scene.end()
        }
    }

    /// Between two looks at the disk, which are a second apart, it is not used up.
    @Test func whatIsSpilledCountsBeforeTheDiskIsLookedAtAgain() {
        let call = SpillCall(parts: 99) { _ in }
        var state = SpillState(configuration: SpillConfiguration(), holding: [0..<1], records: 1, bytes: 1)
        state.looked(atDisk: 1_000)
        guard case .spilled = state.admit([record("a")], bytes: 300, to: 0, for: call) else {
            Issue.record("there is room")
            return
        }
        guard case .refused = state.admit([record("b")], bytes: 300, to: 0, for: call) else {
            Issue.record("the first takes the room of the second: it lies in the write-ahead log and in the file")
            return
        }
        // What is not written yet does not show on the disk.
        state.looked(atDisk: 1_000)
        guard case .refused = state.admit([record("b")], bytes: 300, to: 0, for: call) else {
            Issue.record("what is on its way to the disk is forgotten")
            return
        }
        for append in state.takeAppends() { state.appended(append, .success(1..<2)) }
        state.looked(atDisk: 1_000)
        guard case .spilled = state.admit([record("b")], bytes: 300, to: 0, for: call) else {
            Issue.record("there is room")
            return
        }
    }
}

private func fileSize(_ path: String) -> Int64 {
    var info = stat()
    return stat(path, &info) == 0 ? Int64(info.st_size) : 0
}
