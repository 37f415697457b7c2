import Synchronization

/// What the ingress counts. Totals only grow; a metrics endpoint reads them when it is asked.
public final class IngressMetrics: Sendable {
    /// What a delivery's items are; one topic each.
    public enum Kind: Int, CaseIterable, Sendable { case messages, statuses, errors, other }

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    private let receivedByKind = Kind.allCases.map { _ in Counter() }
    private let answersByCode = Answer.allCases.map { _ in Counter() }
    private let requests = Atomic(0)
    private let connections = Atomic(0)
    private let budget: InFlightBudget

    init(budget: InFlightBudget) { self.budget = budget }

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
    public var requestsInFlight: Int { requests.load(ordering: .relaxed) }
    /// Bytes of bodies being received and of records not yet durable.
    public var bytesInFlight: Int { budget.bytes }
    public var openConnections: Int { connections.load(ordering: .relaxed) }

    func count(of answer: Answer) -> Int { answersByCode[answer.rawValue].value.load(ordering: .relaxed) }

    func answered(_ answer: Answer) { answersByCode[answer.rawValue].value.add(1, ordering: .relaxed) }
    func received(_ counts: RecordCounts) {
        add(counts.messages, .messages)
        add(counts.statuses, .statuses)
        add(counts.errors, .errors)
        add(counts.other, .other)
    }
    private func add(_ count: Int, _ kind: Kind) {
        if count > 0 { receivedByKind[kind.rawValue].value.add(count, ordering: .relaxed) }
    }
    func storing(_ change: Int) { requests.add(change, ordering: .relaxed) }
    /// Connections that are open after this one came.
    func opened() -> Int { connections.add(1, ordering: .relaxed).newValue }
    func closed() { connections.subtract(1, ordering: .relaxed) }
}
