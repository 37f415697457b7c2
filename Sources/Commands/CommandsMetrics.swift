import Metrics
import Synchronization

/// What the endpoint counts, as `CommandsMetric`. Instruments are made at the start, for a closed set of outcomes.
final class CommandsMetrics: Sendable {
    private let requests: [String: (counter: Counter, timer: Timer)]
    private let slowSenders: Counter
    private let connections = Atomic(0)

    /// - Parameters:
    ///   - inFlight, keys: asked when somebody reads the metrics.
    init(
        in factory: any MetricsFactory, inFlight: @escaping @Sendable () -> Int, keys: @escaping @Sendable () -> Int
    ) {
        requests = Dictionary(
            uniqueKeysWithValues: CommandsAnswer.outcomes.map { outcome in
                (
                    outcome,
                    (
                        CommandsMetric.requests.counter(outcome, in: factory),
                        CommandsMetric.duration.timer(outcome, in: factory)
                    )
                )
            })
        slowSenders = CommandsMetric.slowSenders.counter(in: factory)
        let (flight, open) = (CommandsMetric.inFlight.gauge(in: factory), CommandsMetric.openConnections.gauge(in: factory))
        let remembered = CommandsMetric.keys.gauge(in: factory)
        factory.whenRead { [weak self] in
            flight.record(inFlight())
            remembered.record(keys())
            if let self { open.record(connections.load(ordering: .relaxed)) }
        }
    }

    func answered(_ outcome: String, after time: Duration) {
        guard let known = requests[outcome] else { return assertionFailure("an outcome that is not listed") }
        known.counter.increment()
        known.timer.recordNanoseconds(Int64(time / .nanoseconds(1)))
    }
    func opened() { connections.add(1, ordering: .relaxed) }
    func closed() { connections.subtract(1, ordering: .relaxed) }
    func cutSlowSender() { slowSenders.increment() }
}
