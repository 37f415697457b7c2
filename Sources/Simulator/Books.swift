import EventLog
import WhatsApp

/// Everything that happened, counted; what is remembered one by one is bounded.
struct Books: Sendable {
    private struct Written: Sendable {
        let phone: String
        let at: Timestamp
        let expectsReply: Bool
        var replies = 0
    }

    /// Messages and tags remembered for finding replies and doubles; enough for some 20 minutes at 200 a second.
    static let memory = 250_000

    private var report = SimulatorReport()
    private var written = BoundedTable<String, Written>(capacity: Self.memory)
    /// Times that a command's message was accepted.
    private var commands = BoundedTable<String, Int>(capacity: Self.memory)
    /// Ids of unanswered messages by phone, oldest first: whom a reply without a quote answers.
    private var unanswered: [String: [String]] = [:]
    private var replyLatency = LatencyHistogram()
    private var webhookLatency = LatencyHistogram()

    mutating func wrote(_ id: String, phone: String, expectsReply: Bool, at now: Timestamp) {
        report.customers.written += 1
        if expectsReply {
            report.customers.expectingReply += 1
            unanswered[phone, default: []].append(id)
        }
        let entry = Written(phone: phone, at: now, expectsReply: expectsReply)
        if let forgotten = written.set(id, entry) { strike(forgotten.key, of: forgotten.value.phone) }
    }

    mutating func heldBack() { report.customers.heldBack += 1 }

    mutating func accepted(_ send: SendRequest.Message, at now: Timestamp) {
        report.sends.accepted += 1
        report.sends.types[send.type, default: 0] += 1
        if let tag = send.tag {
            report.sends.tagged += 1
            delivered(CommandTag(parsing: tag)?.commandID ?? tag)
        }
        guard let answered = send.quotes ?? send.recipient.phone.flatMap({ unanswered[$0]?.first }),
            written[answered] != nil
        else {
            report.customers.unprompted += 1
            return
        }
        replied(to: answered, at: now)
    }

    /// The oracle for "nothing twice, nothing lost": every acceptance counts, whether its answer got through or not.
    private mutating func delivered(_ command: String) {
        if let times = commands.change(command, { times in
            times += 1
            return times
        }) {
            report.sends.duplicates += 1
            if times == 2 { report.sends.commands.moreThanOnce += 1 }
            report.sends.commands.most = max(report.sends.commands.most, times)
            return
        }
        report.sends.commands.delivered += 1
        report.sends.commands.most = max(report.sends.commands.most, 1)
        if commands.set(command, 1) != nil { report.sends.commands.forgotten += 1 }
    }

    func deliveries() -> [(command: String, times: Int)] { commands.all.map { ($0.key, $0.value) } }

    mutating func refused(status: Int, code: Int? = nil) {
        report.sends.refused["\(status)", default: 0] += 1
        if let code { report.sends.refusedCodes["\(code)", default: 0] += 1 }
    }
    mutating func withheldAnswer() { report.sends.withheldAnswers += 1 }
    mutating func lost(statuses: Int) { report.webhooks.lost += statuses }
    mutating func markedAsRead() { report.sends.markedAsRead += 1 }
    mutating func promised(events: Int) { report.webhooks.events += events }

    /// A webhook call ended. `status` is nil when no answer came in time.
    mutating func called(_ delivery: Delivery, status: Int?, took: Duration) {
        report.webhooks.attempts += 1
        if delivery.attempts > 1 { report.webhooks.redeliveries += 1 }
        report.webhooks.answers[status.map(String.init) ?? "none", default: 0] += 1
        if status != nil { webhookLatency.record(took) }
        guard status == 200 else { return }
        report.webhooks.acknowledged += 1
        if case .message = delivery.event { report.customers.acknowledged += 1 }
    }

    mutating func abandoned() { report.webhooks.abandoned += 1 }

    func snapshot(waiting: Int) -> SimulatorReport {
        var report = report
        report.webhooks.waiting = waiting
        report.webhooks.latency = .init(webhookLatency)
        report.customers.replyLatency = .init(replyLatency)
        report.customers.unanswered = report.customers.expectingReply - report.customers.replied
        report.customers.unansweredIDs = written.all.lazy
            .filter { $0.value.expectsReply && $0.value.replies == 0 }.prefix(100).map(\.key)
        return report
    }

    private mutating func replied(to id: String, at now: Timestamp) {
        guard
            let entry = written.change(
                id,
                { entry in
                    entry.replies += 1
                    return entry
                })
        else { return }
        guard entry.replies == 1 else {
            report.customers.repeatedReplies += 1
            return
        }
        if entry.expectsReply { report.customers.replied += 1 }
        replyLatency.record(now - entry.at)
        strike(id, of: entry.phone)
    }

    private mutating func strike(_ id: String, of phone: String) {
        unanswered[phone]?.removeAll { $0 == id }
        if unanswered[phone]?.isEmpty == true { unanswered[phone] = nil }
    }
}
