import EventLog
import Processing
import SendLimits
import ServiceLifecycle
import Synchronization
import WhatsApp

/// What every instance must know of limits, over the send-limits topic.
extension OutboundSenderProcessor {
    var broadcastInputs: [BroadcastInput] { [BroadcastInput(topics.sendLimits)] }

    func receiveBroadcast(_ record: StoredRecord) async throws {
        guard let value = record.value else { return }
        if let limit = LearnedLimit(value: value) {
            limiter.learn(limit)
        } else if let news = TemplateNews(value: value) {
            limiter.learn(news, now: .now)
        } else if let pause = BulkPause(value: value) {
            bulk.isPaused = pause.isPaused
        }
    }
}

/// Tells the other instances what the platform's answers have taught this one. What is lost on the way they learn by an
/// answer of their own.
struct LimitPublisher: Service {
    let limiter: SendLimiter
    let log: any Log
    let topic: Topic

    private static let interval = Duration.milliseconds(500)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                let learned = limiter.learned().map { $0.record(topic: topic) }
                if !learned.isEmpty { _ = try? await log.produce(learned) }
            }
        }
    }
}

/// Whether campaigns stand still, by an operator's word.
final class BulkSwitch: Sendable {
    /// What bulk commands wait for, where numbers have names of digits.
    static let scope = "bulk"

    private let paused = Atomic(false)

    var isPaused: Bool {
        get { paused.load(ordering: .relaxed) }
        set { paused.store(newValue, ordering: .relaxed) }
    }
}
