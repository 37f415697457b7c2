import EventLog
import Foundation
import SQLiteLog
import WhatsApp

/// A log in a folder of its own, the channels that `outbound-sender` sends for, and the sender itself as a process.
final class Scene {
    static func number(_ index: Int) -> String { "\(700_100_200_300_000 + index)" }
    static func channel(_ index: Int) -> String { "n\(index)" }
    static func apiKey(_ index: Int) -> String { "bench-key-\(index)" }

    let log: SQLiteLog
    private let topics = Topics()
    private let folder: URL
    private let location: String
    private var senders: [ServerProcess] = []

    /// - Parameters:
    ///   - rates: What each number may send in a second.
    ///   - port: Where the API is.
    init(rates: [Double], port: Int) async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "millrace-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appending(path: "events.db").path
        location = "sqlite:\(path)"
        let channels = rates.enumerated().map { index, rate in
            """
              \(Self.channel(index)):
                phone_number_id: "\(Self.number(index))"
                waba_id: "90010020030\(index)"
                webhook: { basic: { user: bench, password: bench } }
                rate: \(Int(rate))
                api_key: \(Self.apiKey(index))
                base_url: http://127.0.0.1:\(port)
            """
        }
        try ("channels:\n" + channels.joined(separator: "\n")).write(
            to: folder.appending(path: "channels.yaml"), atomically: true, encoding: .utf8)
        try run([program("millrace"), "topics", "create"], environment: ["MILLRACE_LOG": location])
        log = try await SQLiteLog.open(path: path)
    }

    func close() async {
        stopSenders()
        await log.close()
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: The sender

    /// - Parameter preload: a library for this process alone.
    @discardableResult
    func startSender(preload: String? = nil) throws -> ServerProcess {
        let sender = try ServerProcess(
            [program("outbound-sender")],
            environment: [
                "MILLRACE_LOG": location, "MILLRACE_STATE": folder.appending(path: "state").path,
                "MILLRACE_CHANNELS": folder.appending(path: "channels.yaml").path,
            ].merging(preload.map { ["LD_PRELOAD": $0] } ?? [:]) { $1 })
        senders.append(sender)
        return sender
    }

    func stopSenders() {
        for sender in senders { sender.stop() }
        senders = []
    }

    // MARK: The log

    func put(_ commands: [OutboundCommand], isBulk: Bool = false) async throws {
        let topic = isBulk ? topics.outboundBulk : topics.outbound
        for start in stride(from: 0, to: commands.count, by: 1_000) {
            try await log.produce(commands[start..<min(start + 1_000, commands.count)].map { $0.record(topic: topic) })
        }
    }

    /// How many commands have ended.
    func ended() async throws -> Int {
        let partitions = try await log.admin.partitions(of: topics.outboundResults)
        return try await log.admin.watermarks(of: partitions).values.reduce(0) { $0 + Int($1.high) }
    }

    /// Waits until so many commands have ended, or throws at the time limit.
    func waitUntilEnded(_ count: Int, within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        while try await ended() < count {
            guard ContinuousClock.now < deadline else {
                throw BenchError("\(try await ended()) of \(count) commands ended within \(limit)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// How they ended.
    func results() async throws -> [OutboundResult] {
        let reader = try await log.reader()
        var results: [OutboundResult] = []
        for partition in try await log.admin.partitions(of: topics.outboundResults) {
            var offset: Offset = 0
            while true {
                let records = try await reader.read(partition, from: offset, maxRecords: 1_000, waitingUpTo: .zero)
                guard let last = records.last else { break }
                for record in records { results.append(try OutboundResult(record)) }
                offset = last.offset + 1
            }
        }
        await reader.close()
        return results
    }
}
