import EventLog
import Metrics
import NIOCore
import Synchronization

/// What the ingress counts, as `IngressMetric`. Every instrument is made at the start, so that counting is an atomic
/// addition or two.
public final class IngressMetrics: Sendable {
    /// What a delivery's items are; one topic each.
    public enum Kind: Int, CaseIterable, Sendable { case messages, statuses, errors, other }

    /// A total that the server reads itself, too: for its log and for tests.
    private final class Total: Sendable {
        let value = Atomic(0)
        let counter: Counter?

        init(_ counter: Counter?) { self.counter = counter }

        func add(_ count: Int) {
            value.add(count, ordering: .relaxed)
            counter?.increment(by: count)
        }
    }

    private let receivedByKind: [Total]
    private let agesByKind: [Timer?]
    private let answersByCode: [Total]
    private let durationsByCode: [Timer]
    // Of nearly every answer; to take them out of the arrays would count references.
    private let storedTotal: Total
    private let storedDuration: Timer
    private let produceDuration: Timer
    /// By error code, which come from a closed set; made when they are met.
    private let failureDurations = Mutex<[String: Timer]>([:])
    private let now: Now
    private let factory: any MetricsFactory

    /// How things stand. An object of its own for the gauges, which read it for as long as there is a factory: an object
    /// that somebody refers to weakly is slower to count references of, for everybody.
    private final class Now: Sendable {
        let requests = Atomic(0)
        let connections = Atomic(0)
        let budget: InFlightBudget

        init(_ budget: InFlightBudget) { self.budget = budget }
    }

    init(budget: InFlightBudget, factory: any MetricsFactory) {
        now = Now(budget)
        self.factory = factory
        receivedByKind = Kind.allCases.map { Total(IngressMetric.received.counter("\($0)", in: factory)) }
        // The time of errors and others is often that of their arrival.
        agesByKind = Kind.allCases.map { kind in
            [.messages, .statuses].contains(kind) ? IngressMetric.age.timer("\(kind)", in: factory) : nil
        }
        answersByCode = Answer.allCases.map { answer in
            Total(answer == .stored ? nil : IngressMetric.rejected.counter(answer.code, in: factory))
        }
        durationsByCode = Answer.allCases.map { answer in
            IngressMetric.requestDuration.timer(String(answer.status.prefix(3)), in: factory)
        }
        storedTotal = answersByCode[Answer.stored.rawValue]
        storedDuration = durationsByCode[Answer.stored.rawValue]
        produceDuration = IngressMetric.produceDuration.timer("send", "", in: factory)
        observeGauges()
    }

    private func observeGauges() {
        let connections = IngressMetric.openConnections.gauge(in: factory)
        let requests = IngressMetric.requestsInFlight.gauge(in: factory)
        let bytes = IngressMetric.bytesInFlight.gauge(in: factory)
        IngressMetric.bytesInFlightLimit.gauge(in: factory).record(now.budget.limit)
        factory.whenRead { [now] in
            connections.record(now.connections.load(ordering: .relaxed))
            requests.record(now.requests.load(ordering: .relaxed))
            bytes.record(now.budget.bytes)
        }
    }

    /// Records of that kind that became durable and were answered 200.
    public func received(_ kind: Kind) -> Int { receivedByKind[kind.rawValue].value.load(ordering: .relaxed) }

    /// Requests not answered 200, by the word in the error's body: a closed set.
    public var rejected: [String: Int] {
        var counts: [String: Int] = [:]
        for answer in Answer.allCases where answer != .stored { counts[answer.code] = count(of: answer) }
        return counts
    }

    /// Deliveries answered 200.
    public var stored: Int { count(of: .stored) }
    /// Deliveries handed to the log and not answered yet.
    public var requestsInFlight: Int { now.requests.load(ordering: .relaxed) }
    /// Bytes of bodies being received and of records not yet durable.
    public var bytesInFlight: Int { now.budget.bytes }
    public var openConnections: Int { now.connections.load(ordering: .relaxed) }

    func count(of answer: Answer) -> Int { answersByCode[answer.rawValue].value.load(ordering: .relaxed) }

    func answered(_ answer: Answer, after time: TimeAmount) {
        if answer == .stored {
            storedTotal.add(1)
            return storedDuration.recordNanoseconds(time.nanoseconds)
        }
        answersByCode[answer.rawValue].add(1)
        durationsByCode[answer.rawValue].recordNanoseconds(time.nanoseconds)
    }
    func received(_ counts: RecordCounts) {
        add(counts.messages, .messages)
        add(counts.statuses, .statuses)
        add(counts.errors, .errors)
        add(counts.other, .other)
    }
    private func add(_ count: Int, _ kind: Kind) {
        if count > 0 { receivedByKind[kind.rawValue].add(count) }
    }
    /// Without an age below zero, which would make the sum fall: clocks differ.
    func arrived(_ kind: Kind, agedMilliseconds age: Int64) {
        agesByKind[kind.rawValue]?.recordNanoseconds(max(0, age) * 1_000_000)
    }
    /// The log's word on a delivery, good or bad.
    func produced(_ failure: LogError.Code?, after time: TimeAmount) {
        guard let failure else { return produceDuration.recordNanoseconds(time.nanoseconds) }
        let timer = failureDurations.withLock { timers in
            if let known = timers[failure.name] { return known }
            let timer = IngressMetric.produceDuration.timer("send", failure.name, in: factory)
            timers[failure.name] = timer
            return timer
        }
        timer.recordNanoseconds(time.nanoseconds)
    }
    func storing(_ change: Int) { now.requests.add(change, ordering: .relaxed) }
    /// Connections that are open after this one came.
    func opened() -> Int { now.connections.add(1, ordering: .relaxed).newValue }
    func closed() { now.connections.subtract(1, ordering: .relaxed) }
}
