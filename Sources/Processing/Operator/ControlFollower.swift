import EventLog
import Logging

/// Follows the control topic for a runtime, from its end on: what was ordered before it began concerned others.
struct ControlFollower: Sendable {
    let log: any Log
    let topic: Topic
    let logger: Logger
    let wallTime: @Sendable () -> Timestamp
    /// Carries an order out; nil when it concerns nothing that this runtime owns.
    let carryOut: @Sendable (ParkedOrder) -> Int?

    /// Nobody waits for an answer any more.
    private static let stale = Duration.seconds(60)

    /// Returns when cancelled. What goes wrong is told and tried again: a processor does not depend on its operator.
    func run() async {
        while !Task.isCancelled {
            do {
                guard try await log.admin.topics().contains(where: { $0.topic == topic }) else {
                    // A log from before the topic; the operator's tool creates it.
                    try await Task.sleep(for: .seconds(30))
                    continue
                }
                let reader = try await log.reader()
                let result: Result<Void, any Error>
                do { result = .success(try await follow(reader)) } catch { result = .failure(error) }
                await reader.close()
                try result.get()
            } catch {
                if Task.isCancelled { return }
                logger.info("control topic cannot be followed", metadata: [LogKey.error: "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    private func follow(_ reader: any Reader) async throws {
        let partition = TopicPartition(topic, 0)
        var next = try await log.admin.watermarks(of: [partition])[partition]?.high ?? 0
        while true {
            let records = try await reader.read(partition, from: next, maxRecords: 100, waitingUpTo: .seconds(5))
            try Task.checkCancellation()
            for record in records {
                next = record.offset + 1
                guard let order = ParkedOrder(record), wallTime() - record.timestamp < Self.stale else { continue }
                guard let applied = carryOut(order) else { continue }
                logger.info(
                    "operator's order carried out",
                    metadata: ["control.action": "\(order.action.rawValue)", LogKey.count: "\(applied)"])
                try await log.produce([ParkedAnswer(id: order.id, applied: applied).record(topic: topic)])
            }
        }
    }
}
