import EventLog

/// Tells the observer of records that are done, many at once: for quick handlers telling of each would cost as much as
/// handling it.
struct HandlingTally {
    /// Slow ones are told of at least so often.
    private static let patience = Duration.seconds(1)

    private let observer: any ProcessorObserver
    private var source: TopicPartition?
    private var place = -1
    private var times: [Duration] = []
    private var total = Duration.zero

    init(_ observer: any ProcessorObserver) { self.observer = observer }

    mutating func add(_ work: Work, _ took: Duration) {
        if work.place != place {
            tell()
            (source, place) = (work.record.source, work.place)
        }
        times.append(took)
        total += took
        if total >= Self.patience { tell() }
    }

    mutating func tell() {
        if let source, !times.isEmpty { observer.handled(source, .done, took: times) }
        times.removeAll(keepingCapacity: true)
        total = .zero
    }
}
