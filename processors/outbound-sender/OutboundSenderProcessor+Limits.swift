import EventLog
import Processing
import SendLimits
import ServiceLifecycle
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
        }
    }
}

extension LearnedLimit {
    func record(topic: Topic) -> Record { .news(key, value, at: [ceiling?.at, cut?.at].compactMap { $0 }.max(), topic) }
}

extension TemplateNews {
    func record(topic: Topic) -> Record { .news(key, value, at: at, topic) }
}

extension Record {
    /// Its id follows from what it says: copies are one event.
    fileprivate static func news(_ key: String, _ value: [UInt8], at time: Timestamp?, _ topic: Topic) -> Record {
        var hash = IdentityHash("send-limit")
        hash.add(key)
        hash.add(value[...])
        let event = CloudEvent(
            type: .sendLimitLearned, id: hash.hex(), source: "/millrace/outbound-sender", time: time, recordedTime: time,
            partitionKey: key)
        return Record(topic: topic, key: Array(key.utf8), value: value, headers: event.headers)
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
