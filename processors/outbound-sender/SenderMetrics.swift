import EventLog
import Metrics
import SendLimits
import Synchronization
import Telemetry
import WhatsApp

/// Counts ends of commands, as `SenderMetric`; what stands still is read when somebody looks.
final class SenderMetrics: Sendable {
    private struct End: Hashable {
        var number: String
        var outcome: OutboundResult.Outcome
        var error: String
    }

    private struct Instruments {
        var ends: [End: Counter] = [:]
        /// Of those without error, by number: most are.
        var accepted: [String: Counter] = [:]
        var resent: [String: Counter] = [:]
    }

    /// More than one installation sends for.
    private static let maxNumbers = 20_000

    private let ages: [OutboundResult.Outcome: Timer]
    private let instruments = Mutex(Instruments())
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        ages = Dictionary(
            uniqueKeysWithValues: OutboundResult.Outcome.allCases.map {
                ($0, SenderMetric.age.timer($0.rawValue, in: factory))
            })
    }

    /// Shows what the limiter and the open commands are like.
    func observe(_ limiter: SendLimiter, _ open: OpenCommands, _ bulk: BulkSwitch) {
        let inDoubt = SenderMetric.inDoubt.gauge(in: factory)
        let waiting = SenderMetric.waiting.gauge(in: factory)
        let inFlight = SenderMetric.inFlight.gauge(in: factory)
        let held = SenderMetric.heldNumbers.gauge(in: factory)
        let paused = SenderMetric.pausedTemplates.gauge(in: factory)
        let bulkPaused = SenderMetric.bulkPaused.gauge(in: factory)
        factory.whenRead {
            bulkPaused.record(bulk.isPaused ? 1 : 0)
            let snapshot = limiter.snapshot()
            inDoubt.record(open.inDoubt)
            waiting.record(snapshot.waiting)
            inFlight.record(snapshot.inFlight)
            held.record(snapshot.heldNumbers.count)
            paused.record(snapshot.pausedTemplates)
        }
    }

    func ended(_ result: OutboundResult, requestedAt: Timestamp) {
        instruments.withLock { counter(of: result, &$0) }.increment()
        ages[result.outcome]?.recordMilliseconds(max(0, (result.finishedAt - requestedAt).milliseconds))
    }

    private func counter(of result: OutboundResult, _ instruments: inout Instruments) -> Counter {
        let isPlain = result.outcome == .accepted && result.error == nil
        let number = ConversationKey.business(of: result.conversationKey)
        if isPlain, let counter = instruments.accepted[number] { return counter }
        let error = result.error.map { error in error.code.map { String($0) } ?? error.errorClass } ?? ""
        // Numbers that look alike share a counter.
        let end = End(number: Self.masked(result.conversationKey), outcome: result.outcome, error: error)
        let counter = instruments.ends[end] ?? SenderMetric.results.counter(end.number, end.outcome.rawValue, error, in: factory)
        instruments.ends[end] = counter
        if isPlain, instruments.accepted.count < Self.maxNumbers { instruments.accepted[number] = counter }
        return counter
    }

    func resent(_ conversationKey: String) {
        let number = Self.masked(conversationKey)
        let counter = instruments.withLock { instruments in
            if let counter = instruments.resent[number] { return counter }
            let counter = SenderMetric.resent.counter(number, in: factory)
            instruments.resent[number] = counter
            return counter
        }
        counter.increment()
    }

    /// The last four characters of the number's id.
    static func masked(_ conversationKey: String) -> String {
        "…" + ConversationKey.business(of: conversationKey).suffix(4)
    }
}
