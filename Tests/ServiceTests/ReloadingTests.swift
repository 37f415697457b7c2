import EventLogTesting
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import Service

@Suite struct ReloadingTests {
    /// A file's text, or an error when it says so.
    private struct Text: Sendable, Equatable {
        let text: String

        @Sendable static func load(_ path: String, _ files: inout FileContents) throws -> Text {
            guard let data = files.read(path) else { throw SettingError("text", "is missing") }
            let text = String(decoding: data, as: UTF8.self)
            if text == "bad" { throw SettingError("text", "is bad") }
            return Text(text: text)
        }
    }

    private final class Uses: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }
        @Sendable func use(_ text: Text) throws {
            if text.text == "unusable" { throw SettingError("text", "cannot be used") }
            texts.withLock { $0.append(text.text) }
        }
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "reload-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private func state(_ path: String, _ uses: Uses) throws -> ReloadState<Text> {
        var files = FileContents()
        _ = try Text.load(path, &files)
        return ReloadState(files: files, load: { try Text.load(path, &$0) }, use: uses.use)
    }

    private func write(_ text: String, to file: URL) throws { try Data(text.utf8).write(to: file) }

    @Test func aChangeIsTakenOnceItHasSettled() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "text")
            try write("one", to: file)
            let uses = Uses()
            var state = try state(file.path, uses)
            #expect(state.poll() == .unchanged)
            // Half of what an editor writes, then the rest: neither is taken before it stands still.
            try write("tw", to: file)
            #expect(state.poll() == .settling)
            try write("two", to: file)
            #expect(state.poll() == .settling)
            #expect(uses.all.isEmpty)
            #expect(state.poll() == .taken)
            #expect(state.poll() == .unchanged)
            #expect(uses.all == ["two"])
            // There and back between two looks is no change.
            try write("three", to: file)
            #expect(state.poll() == .settling)
            try write("two", to: file)
            #expect(state.poll() == .unchanged)
            #expect(uses.all == ["two"])
        }
    }

    @Test func whatDoesNotLoadIsSaidOnceAndTheNextGoodOneIsTaken() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "text")
            try write("one", to: file)
            let uses = Uses()
            var state = try state(file.path, uses)
            for (text, reason) in [("bad", "text: is bad"), ("unusable", "text: cannot be used"), (nil, "text: is missing")] {
                if let text { try write(text, to: file) } else { try FileManager.default.removeItem(at: file) }
                #expect(state.poll() == .settling)
                #expect(state.poll() == .refused(reason))
                #expect(state.poll() == .unchanged)
            }
            #expect(uses.all.isEmpty)
            try write("two", to: file)
            #expect(state.poll() == .settling)
            #expect(state.poll() == .taken)
            #expect(uses.all == ["two"])
        }
    }

    @Test func whatCannotBeDecidedYetIsSaidOnceAndTriedAgain() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "text")
            try write("one", to: file)
            let uses = Uses()
            let isReady = Mutex(false)
            var files = FileContents()
            let path = file.path
            _ = try Text.load(path, &files)
            var state = ReloadState(
                files: files, load: { try Text.load(path, &$0) },
                use: {
                    guard isReady.withLock({ $0 }) else { throw ReloadDelay("nobody knows") }
                    try uses.use($0)
                })
            try write("two", to: file)
            #expect(state.poll() == .settling)
            #expect(state.poll() == .delayed("nobody knows"))
            for _ in 0..<4 { #expect(state.poll() == .settling) }
            isReady.withLock { $0 = true }
            #expect(state.poll() == .settling)
            #expect(state.poll() == .taken)
            #expect(uses.all == ["two"])
        }
    }

    @Test func swappedSymbolicLinksAreNoticed() async throws {
        // As Kubernetes mounts a secret: text -> ..data/text, ..data -> ..1, and the middle link is swapped.
        try await withFolder { folder in
            for (version, text) in [("..1", "one"), ("..2", "two")] {
                let place = folder.appending(path: version)
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                try write(text, to: place.appending(path: "text"))
            }
            let data = folder.appending(path: "..data")
            func link(_ version: String) throws {
                let temporary = folder.appending(path: "..tmp")
                try FileManager.default.createSymbolicLink(atPath: temporary.path, withDestinationPath: version)
                #expect(rename(temporary.path, data.path) == 0)
            }
            try link("..1")
            let file = folder.appending(path: "text")
            try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "..data/text")
            let uses = Uses()
            var state = try state(file.path, uses)
            #expect(state.poll() == .unchanged)
            try link("..2")
            #expect(state.poll() == .settling)
            #expect(state.poll() == .taken)
            #expect(uses.all == ["two"])
        }
    }

    @Test func aSecretFileOfAChannelIsWatchedToo() async throws {
        try await withFolder { folder in
            let secret = folder.appending(path: "secret")
            let file = folder.appending(path: "channels.yaml")
            try write("old\n", to: secret)
            try write("channels: { a: { webhook: { basic: { user: u, password_file: \(secret.path) } } } }", to: file)
            let environment = ["MILLRACE_CHANNELS": file.path]
            var files = FileContents()
            _ = try Channels.load(environment: environment, files: &files)
            let proofs = Mutex<[[Channel.WebhookProof]]>([])
            var state = ReloadState(
                files: files, load: { try Channels.load(environment: environment, files: &$0) },
                use: { channels in proofs.withLock { $0.append(channels.all[0].webhookProofs) } })
            // Gone for a moment: the channels file itself is unchanged and good, and still nothing is taken.
            try FileManager.default.removeItem(at: secret)
            #expect(state.poll() == .settling)
            #expect(state.poll() == .refused("channels.a.webhook.basic.password_file: names a file that cannot be read as text"))
            try write("new\n", to: secret)
            #expect(state.poll() == .settling)
            #expect(state.poll() == .taken)
            #expect(proofs.withLock { $0 } == [[.basic(user: "u", password: Secret("new"))]])
        }
    }

    @Test func theServiceTakesChangesAndSaysWhatItDoesNotTake() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "text")
            try write("one", to: file)
            let uses = Uses()
            let lines = RecordedLog()
            let logger = Logger(label: "test") { _ in lines }
            let path = file.path
            let clock = ManualClock()
            let loaded = try Loaded { try Text.load(path, &$0) }
            #expect(loaded.value == Text(text: "one"))
            let service = loaded.reloading("text", every: .seconds(2), clock: clock, logger: logger, use: uses.use)
            let group = ServiceGroup(services: [service], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
            let running = Task { try await group.run() }
            // The service looks between the writes alone: in the middle of one it could take half a text for a whole one.
            func settle() async {
                for _ in 0..<2 {
                    await clock.waitForSleepers()
                    clock.advance(by: .seconds(2))
                }
                await clock.waitForSleepers()
            }
            try write("two", to: file)
            await settle()
            #expect(uses.all == ["two"])
            try write("bad", to: file)
            await settle()
            #expect(lines.text.contains("text: is bad"))
            try write("three", to: file)
            await settle()
            #expect(uses.all == ["two", "three"])
            await group.triggerGracefulShutdown()
            try await running.value
            #expect(lines.lines.filter { $0.hasPrefix("error") }.count == 1)
        }
    }
}
