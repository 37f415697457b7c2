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

    private static let padding = String(repeating: ".", count: 100_000)
    private static let largeBytes = 6 << 20

    /// Gives a record of 100 kB, or of another size.
    private func give(_ name: String, key: String, bytes: Int? = nil, _ scene: Scene) {
        let text = name + (bytes.map { String(repeating: ".", count: $0 - name.utf8.count) } ?? Self.padding)
        scene.spill.send([record(text, key: key)]) { scene.answers.note(name, $0) }
    }
    private static func names(_ texts: [String]) -> Set<String> {
        Set(texts.map { String(decoding: $0.utf8.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self) })
    }

    /// Gives records until the disk has no more room for them; how many were answered.
    private func outage(_ name: String, _ scene: Scene) async throws -> Int {
        scene.log.set(.fail(.notDurable))
        var given = 0
        let before = scene.answers.stored.count
        // A refusal may be a look at the disk that is a second old.
        var refusals = 0
        while refusals < 30 {
            let names = (0..<10).map { "\(name) \(given + $0)" }
            given += names.count
            for (number, name) in names.enumerated() { give(name, key: "\(number)", scene) }
            try await scene.passUntil("they are answered") { scene.answers.count(of: names) == names.count }
            refusals = scene.answers.failed[names[9]] == nil ? 0 : refusals + 1
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
                scene.log.refuse { $0.value?.count == Self.largeBytes ? .recordTooLarge : nil }
                give("large", key: "k", bytes: Self.largeBytes, scene)
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
            #expect(Self.names(scene.log.stored).union(isRejecting ? ["large"] : []) == scene.answers.stored)
            try await scene.end()
        }
    }

    @Test func theDrainTakesNoMoreOfTheDiskThanTheOutageDid() async throws {
        try await withFolder { folder in
            let disk = SmallDisk(1 << 40)
            let scene = try await Scene(folder)
            scene.log.set(.fail(.notDurable))
            for n in 0..<400 {
                give("\(n)", key: "\(n % 3)", scene)
                if n % 20 == 19 { try await scene.passUntil("they are answered") { scene.answers.stored.count == n + 1 } }
            }
            // All of it in the file: what comes from here on is the drain's.
            _ = await scene.spill.store.shrink()
            let before = disk.used(folder)
            #expect(before > 40_000_000)
            let most = Mutex(before)
            scene.log.set(.accept)
            try await scene.passUntil("drained") {
                most.withLock { $0 = max($0, disk.used(folder)) }
                return scene.spill.heldRecords == 0
            }
            #expect(most.withLock { $0 } - before < 4 << 20)
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

    @Test func theReserveIsSetAsideWhileThereIsRoomAndCountsAsRoom() async throws {
        try await withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let disk = SmallDisk(200 << 20)
            var configuration = SpillConfiguration()
            configuration.freeBytes = disk.free
            let seen = SpillDisk(folder, configuration)
            #expect(seen.look() == 200 << 20)
            // A file system that cannot do it leaves none.
            guard seen.hasReserve else { return }
            #expect(seen.look() == 200 << 20)
            disk.others.withLock { $0 = 150 << 20 }
            #expect(seen.look() == 50 << 20)
            disk.others.withLock { $0 = 190 << 20 }
            seen.prepare()
            #expect(!seen.hasReserve)
            #expect(seen.look() == 10 << 20 && !seen.hasReserve)
            disk.others.withLock { $0 = 0 }
            _ = seen.look()
            #expect(seen.hasReserve)
        }
    }

    /// A disk that somebody fills to the last byte in an outage. A real one, where the test may mount it.
    @Test(.enabled(if: SmallMount.isAllowed, "needs the right to mount")) func aFullDiskIsEmptiedAndRecovers() async throws {
        try await withFolder { folder in
            let mount = try SmallMount(at: folder, megabytes: 160)
            defer { mount.remove() }
            let scene = try await Scene(folder) { $0.minFreeBytes = 64 << 20 }
            try await scene.passUntil("the reserve is there") { fileSize("\(folder)/spill.reserve") > 0 }
            let given = try await outage("outage", scene)
            #expect(given > 100)
            mount.fill()
            #expect(SpillDisk.freeBytes(of: folder) == 0)
            scene.log.set(.accept)
            try await scene.passUntil("drained") { scene.spill.heldRecords == 0 }
            #expect(Self.names(scene.log.stored) == scene.answers.stored)
            // Told when it begins and when it ends, and no more.
            #expect(scene.lines.all.count { $0.contains("cannot be trimmed") } <= 1)
            await scene.pass(.seconds(3))
            mount.empty()
            try await scene.passUntil("there is room again") { scene.spill.canAccept }
            #expect(try await outage("next", scene) > given * 3 / 4)
            try await drain(scene)
            try await scene.end()
        }
    }

    @Test func whatCannotBeTrimmedIsToldWhenItBeginsAndWhenItEnds() async throws {
        try await withFolder { folder in
            let scene = try await Scene(folder)
            scene.log.set(.fail(.notDurable))
            scene.give("1")
            try await scene.passUntil("it is spilled") { scene.answers.stored == ["1"] }
            // Somebody keeps SQLite's lock for writing, so that every commit fails after a while.
            let file = open("\(folder)/spill.db-shm", O_RDWR | O_CLOEXEC)
            defer { close(file) }
            #expect(lockWriting(file, Int16(F_WRLCK)))
            scene.log.set(.accept)
            try await scene.passUntil("it has failed twice") { scene.spill.trimming.withLock(\.failures) >= 2 }
            #expect(scene.log.stored == ["1"] && scene.spill.heldRecords == 1)
            #expect(scene.lines.all.count { $0.hasPrefix("error The spill cannot be trimmed") } == 1)
            #expect(lockWriting(file, Int16(F_UNLCK)))
            try await scene.passUntil("it is trimmed") { scene.spill.heldRecords == 0 }
            await scene.pass(.seconds(1))
            #expect(scene.lines.all.count { $0.contains("cannot be trimmed") } == 1)
            #expect(scene.lines.all.count { $0.hasPrefix("notice The spill is trimmed again") } == 1)
            #expect(scene.log.stored == ["1"])
            try await scene.end()
        }
    }

    /// The byte of the shared memory's file that SQLite locks to write (its "WAL-index lock" 0), for this descriptor.
    private func lockWriting(_ file: Int32, _ type: Int16) -> Bool {
        var lock = flock()
        (lock.l_type, lock.l_whence, lock.l_start, lock.l_len) = (type, Int16(SEEK_SET), 120, 1)
        return fcntl(file, 37 /* F_OFD_SETLK */, &lock) == 0
    }
}

private func fileSize(_ path: String) -> Int64 {
    var info = stat()
    return stat(path, &info) == 0 ? Int64(info.st_size) : 0
}

/// A mounted file system: one in memory of so many megabytes, or a folder that cannot be written to.
struct SmallMount {
    let folder: String

    /// Tried once.
    static let isAllowed: Bool = {
        let folder = NSTemporaryDirectory() + "millrace-mount-\(UUID().uuidString)"
        guard let mount = try? SmallMount(at: folder, megabytes: 1) else { return false }
        mount.remove()
        return (try? FileManager.default.removeItem(atPath: folder)) != nil
    }()

    init(at folder: String, megabytes: Int) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("none", folder, "tmpfs", 0, "size=\(megabytes)m") == 0 else { throw LogError(.storage, "mount") }
    }

    init(readOnly original: String, at folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let isMounted = mount(original, folder, "", 4_096 /* MS_BIND */, nil) == 0
        guard isMounted, mount("", folder, "", 4_096 | 32 | 1 /* bind, remount, read-only */, nil) == 0 else {
            throw LogError(.storage, "mount")
        }
    }

    func remove() { umount2(folder, 2 /* MNT_DETACH */) }

    /// To the last byte.
    func fill() {
        let file = open("\(folder)/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4_096)
        while write(file, zeros, zeros.count) > 0 {}
        close(file)
    }

    func empty() { unlink("\(folder)/filler") }
}
