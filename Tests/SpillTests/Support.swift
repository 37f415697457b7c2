import EventLog
import Foundation
import Logging
import Synchronization
import Testing

@testable import Spill

/// A folder of its own for a test, removed afterwards.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "millrace-spill-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
}

/// A log whose word the test has in its hand.
final class TestLog: Producer {
    typealias Completion = @Sendable (Result<[RecordPosition], LogError>) -> Void
    enum Mode: Sendable {
        case accept, hold
        case fail(LogError.Code)
    }
    private struct State {
        var mode = Mode.accept
        var sent: [[Record]] = []
        var stored: [Record] = []
        var held: [(records: [Record], completion: Completion)] = []
        var poison: (@Sendable (Record) -> LogError.Code?)?
    }
    private let state = Mutex(State())

    func send(_ records: [Record], completion: @escaping Completion) {
        let answer: Result<[RecordPosition], LogError>? = state.withLock { state in
            state.sent.append(records)
            if let poison = state.poison, let code = records.lazy.compactMap(poison).first {
                return .failure(LogError(code, "test"))
            }
            switch state.mode {
            case .accept:
                state.stored += records
                return .success([])
            case .hold:
                state.held.append((records, completion))
                return nil
            case .fail(let code): return .failure(LogError(code, "test"))
            }
        }
        if let answer { completion(answer) }
    }

    func set(_ mode: Mode) { state.withLock { $0.mode = mode } }
    func refuse(_ poison: @escaping @Sendable (Record) -> LogError.Code?) { state.withLock { $0.poison = poison } }
    func refuseNothing() { state.withLock { $0.poison = nil } }
    /// Every call, in order.
    var sent: [[String]] { state.withLock { $0.sent.map { $0.map(\.text) } } }
    /// What was taken, in order.
    var stored: [String] { state.withLock { $0.stored.map(\.text) } }
    var storedRecords: [Record] { state.withLock(\.stored) }
    var heldCount: Int { state.withLock(\.held.count) }

    /// Gives its word on everything held back.
    func release(failing code: LogError.Code? = nil) {
        let held = state.withLock { state in
            defer { state.held = [] }
            if code == nil { state.stored += state.held.flatMap(\.records) }
            return state.held
        }
        for one in held { one.completion(code.map { .failure(LogError($0, "test")) } ?? .success([])) }
    }
}

/// A log whose answers wait until they are drained, as Kafka's producer has it once it has a bell.
final class DrainableLog: DrainableProducer {
    private let log = TestLog()
    private let bell = Mutex<(@Sendable () -> Void)?>(nil)

    init() { log.set(.hold) }

    func send(_ records: [Record], completion: @escaping TestLog.Completion) {
        log.send(records, completion: completion)
        bell.withLock { $0 }?()
    }
    func setBell(_ ring: (@Sendable () -> Void)?) { bell.withLock { $0 = ring } }
    func drain() { log.release() }
}

/// Answers to calls, by their names.
final class Answers: Sendable {
    private let all = Mutex<[String: LogError.Code?]>([:])

    func note(_ name: String, _ result: Result<[RecordPosition], LogError>) {
        var code: LogError.Code?
        if case .failure(let error) = result { code = error.code }
        all.withLock { [code] in $0[name] = .some(code) }
    }
    var stored: Set<String> { all.withLock { Set($0.filter { $0.value == nil }.keys) } }
    /// How many of these have their answer.
    func count(of names: [String]) -> Int { all.withLock { all in names.count { all[$0] != nil } } }
    var failed: [String: LogError.Code] { all.withLock { $0.compactMapValues { $0 } } }
}

extension Record {
    var text: String { String(decoding: value ?? [], as: UTF8.self) }
}

func record(_ text: String, key: String? = "k", topic: Topic = "t") -> Record {
    Record(topic: topic, key: key.map { Array($0.utf8) }, value: Array(text.utf8))
}

extension SpillingProducer {
    func give(_ text: String, key: String? = "k", topic: Topic = "t", _ answers: Answers) {
        send([record(text, key: key, topic: topic)]) { answers.note(text, $0) }
    }
}

/// Polls until the condition holds; generous, since the machine may be slow.
func eventually(_ what: Comment, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, what)
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Keeps every line, at every level.
struct LogCapture: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }
    private let lines = Lines()

    var all: [String] { lines.all.withLock { $0 } }
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]
    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
        lines.all.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
    var logger: Logger { Logger(label: "test") { _ in self } }
}
