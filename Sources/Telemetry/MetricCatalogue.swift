import Metrics

/// What a metric is, beside its name: what it counts, in which unit, with which labels, and what that tells.
public struct MetricSpec: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// Only grows. The name ends in `_total`.
        case counter
        /// Goes up and down.
        case gauge
        /// How often a value was at most each of `buckets`, ascending.
        case histogram(buckets: [Double])
    }

    /// The base unit, which is the last word of the name (before `_total`).
    public enum Unit: String, Sendable, Hashable {
        case seconds, bytes
        /// A number of things; the name says of what.
        case count = ""
    }

    public var kind: Kind
    public var unit: Unit
    /// Names of the labels. Their values come from closed or bounded sets; never a key, an offset, a URL, a number.
    public var labels: [String]
    public var help: String

    private init(_ kind: Kind, _ unit: Unit, _ labels: [String], _ help: String) {
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
    }

    public static func counter(_ unit: Unit, labels: [String] = [], _ help: String) -> MetricSpec {
        MetricSpec(.counter, unit, labels, help)
    }
    public static func counter(labels: [String] = [], _ help: String) -> MetricSpec {
        MetricSpec(.counter, .count, labels, help)
    }
    public static func gauge(_ unit: Unit, labels: [String] = [], _ help: String) -> MetricSpec {
        MetricSpec(.gauge, unit, labels, help)
    }
    public static func gauge(labels: [String] = [], _ help: String) -> MetricSpec {
        MetricSpec(.gauge, .count, labels, help)
    }
    public static func histogram(
        _ unit: Unit, buckets: [Double], labels: [String] = [], _ help: String
    ) -> MetricSpec {
        MetricSpec(.histogram(buckets: buckets), unit, labels, help)
    }
}

/// All metrics of one module: an enum whose raw values are the names as Prometheus shows them.
///
/// Instruments are made here and not by their names elsewhere, so that what is documented, drawn and alerted on is what
/// the code counts: tests compare the catalogues with the dashboard, the alerts and the table.
public protocol MetricCatalogue: CaseIterable, RawRepresentable, Sendable where RawValue == String {
    var spec: MetricSpec { get }
}

extension MetricCatalogue {
    /// - Parameter values: one for each of the spec's labels, in its order.
    public func counter(_ values: String..., in factory: any MetricsFactory) -> Counter {
        Counter(label: rawValue, dimensions: labelled(values, in: factory), factory: factory)
    }

    /// A counter of fractions.
    public func sum(_ values: String..., in factory: any MetricsFactory) -> FloatingPointCounter {
        FloatingPointCounter(label: rawValue, dimensions: labelled(values, in: factory), factory: factory)
    }

    public func gauge(_ values: String..., in factory: any MetricsFactory) -> Gauge {
        Gauge(label: rawValue, dimensions: labelled(values, in: factory), factory: factory)
    }

    /// For durations: a histogram in seconds.
    public func timer(_ values: String..., in factory: any MetricsFactory) -> Timer {
        Timer(label: rawValue, dimensions: labelled(values, in: factory), factory: factory)
    }

    /// For other values: a histogram in the spec's unit.
    public func recorder(_ values: String..., in factory: any MetricsFactory) -> Recorder {
        Recorder(label: rawValue, dimensions: labelled(values, in: factory), factory: factory)
    }

    private func labelled(_ values: [String], in factory: any MetricsFactory) -> [(String, String)] {
        let spec = spec
        precondition(values.count == spec.labels.count, "\(rawValue) has the labels \(spec.labels)")
        (factory as? any ReadableMetrics)?.define(rawValue, spec)
        return Array(zip(spec.labels, values))
    }
}

/// A metrics factory that is read, not written through: it knows when its values are looked at.
public protocol ReadableMetrics: MetricsFactory {
    /// Tells what the instruments of that name are. Repeating it changes nothing.
    func define(_ name: String, _ spec: MetricSpec)

    /// Calls `update` before each reading: the place for what is known anyway and need not be counted along the way
    /// (connections, lag, an age that grows by itself). Must be quick; calls never overlap.
    func beforeReading(_ update: @escaping @Sendable () -> Void)
}

extension MetricsFactory {
    /// `ReadableMetrics.beforeReading`, where there is somebody who reads.
    public func whenRead(_ update: @escaping @Sendable () -> Void) {
        (self as? any ReadableMetrics)?.beforeReading(update)
    }
}
