import Metrics
import Synchronization

/// The metrics of a process, to be read as Prometheus text.
///
/// Counting costs an atomic addition and no lock; only making, dropping and reading series takes one. Each name has at
/// most `maxSeries` label combinations: what comes beyond shares one series whose labels all say `other`, and is
/// counted in `metrics_series_overflow_total`, so that a label that turns out not to be bounded costs a number and not
/// the memory.
public final class PrometheusRegistry: ReadableMetrics {
    /// The registry's own.
    public enum Metric: String, MetricCatalogue {
        case overflow = "metrics_series_overflow_total"

        public var spec: MetricSpec {
            switch self {
            case .overflow:
                .counter(labels: ["metric"], "Series that were not kept apart because their metric has too many.")
            }
        }
    }

    typealias Labels = [(String, String)]

    struct Series {
        let cell: any Sendable & AnyObject
        let labels: Labels
        /// How many instruments share it; the last one that is destroyed takes the series along.
        var owners = 0
    }

    struct Family {
        var spec: MetricSpec
        /// By the labels as they are written.
        var series: [String: Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var names: [ObjectIdentifier: (name: String, labels: String)] = [:]
        var updates: [@Sendable () -> Void] = []
    }

    /// Buckets of what nobody has defined, in seconds.
    static let defaultBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    private let maxSeries: Int
    private let state = Mutex(State())
    /// Held while a reading brings values up to date.
    private let reading = Mutex(())

    public init(maxSeries: Int = 2_000) {
        precondition(maxSeries > 0)
        self.maxSeries = maxSeries
    }

    // MARK: Definitions and reading

    public func define(_ name: String, _ spec: MetricSpec) {
        state.withLock { state in
            if state.families[name] == nil { state.families[name] = Family(spec: spec) }
        }
    }

    public func beforeReading(_ update: @escaping @Sendable () -> Void) {
        state.withLock { $0.updates.append(update) }
    }

    /// Everything by name, brought up to date.
    func read() -> [(name: String, family: Family)] {
        let updates = state.withLock(\.updates)
        reading.withLock { _ in
            for update in updates { update() }
        }
        return state.withLock(\.families).sorted { $0.key < $1.key }.map { (name: $0.key, family: $0.value) }
    }

    /// One value, brought up to date: of a histogram, how often it was recorded. Nil for what does not exist.
    public func value(of metric: some MetricCatalogue, _ labels: String...) -> Double? {
        let written = Self.written(Array(zip(metric.spec.labels, labels)))
        let family = read().first { $0.name == metric.rawValue }?.family
        switch family?.series[written]?.cell {
        case let counter as CounterCell: return Double(counter.value)
        case let number as NumberCell: return number.value
        case let histogram as HistogramCell: return Double(histogram.values.reduce(0, +))
        default: return nil
        }
    }

    // MARK: Factory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        cell(Self.counterName(label), dimensions, .counter("")) { _ in CounterCell() }
    }
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        cell(Self.counterName(label), dimensions, .counter("")) { _ in NumberCell() }
    }
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        cell(Self.name(label), dimensions, .gauge("")) { _ in NumberCell() }
    }
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions, .count) }
        return cell(Self.name(label), dimensions, .gauge("")) { _ in NumberCell() }
    }
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, .seconds)
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

    private func histogram(_ label: String, _ labels: Labels, _ unit: MetricSpec.Unit) -> HistogramCell {
        cell(Self.name(label), labels, .histogram(unit, buckets: Self.defaultBuckets, "")) { spec in
            guard case .histogram(let buckets) = spec.kind else { return HistogramCell(bounds: Self.defaultBuckets) }
            return HistogramCell(bounds: buckets)
        }
    }

    // MARK: Series

    /// The cell of a series, made when it is new. A name keeps its first kind: an instrument of another kind counts
    /// for itself and is not shown.
    private func cell<Cell: AnyObject & Sendable>(
        _ name: String, _ labels: Labels, _ undefined: MetricSpec, _ make: (MetricSpec) -> Cell
    ) -> Cell {
        let (cell, overflowed) = state.withLock { state -> (Cell, Bool) in
            var family = state.families[name] ?? Family(spec: undefined)
            guard family.spec.kind.isLike(undefined.kind) else { return (make(family.spec), false) }
            var (labels, key, overflows) = (labels, Self.written(labels), false)
            if family.series[key] == nil, family.series.count >= maxSeries {
                overflows = true
                labels = labels.map { ($0.0, "other") }
                key = Self.written(labels)
            }
            var series = family.series[key] ?? Series(cell: make(family.spec), labels: labels)
            guard let cell = series.cell as? Cell else { return (make(family.spec), false) }
            series.owners += 1
            family.series[key] = series
            state.families[name] = family
            state.names[ObjectIdentifier(cell)] = (name, key)
            return (cell, overflows)
        }
        if overflowed, name != Metric.overflow.rawValue { Metric.overflow.counter(name, in: self).increment() }
        return cell
    }

    private func destroy(_ handler: AnyObject) {
        state.withLock { state in
            guard let (name, key) = state.names[ObjectIdentifier(handler)] else { return }
            state.families[name]?.series[key]?.owners -= 1
            guard state.families[name]?.series[key]?.owners == 0 else { return }
            state.families[name]?.series[key] = nil
            state.names[ObjectIdentifier(handler)] = nil
        }
    }
}

extension MetricSpec.Kind {
    fileprivate func isLike(_ other: MetricSpec.Kind) -> Bool {
        switch (self, other) {
        case (.counter, .counter), (.gauge, .gauge), (.histogram, .histogram): true
        default: false
        }
    }
}
