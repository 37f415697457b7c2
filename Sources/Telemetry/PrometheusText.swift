/// The forms in which Prometheus reads metrics.
public enum PrometheusFormat: Sendable {
    /// Prometheus' own text format, version 0.0.4 (prometheus.io, "Exposition formats").
    case text
    /// OpenMetrics 1.0.0 (prometheus.io, "OpenMetrics 1.0"), which Prometheus asks for by default.
    case openMetrics

    /// The one a request asks for by its `Accept` header.
    public init(accept: String?) {
        self = accept?.contains("application/openmetrics-text") == true ? .openMetrics : .text
    }

    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

extension PrometheusRegistry {
    /// Everything that is counted, by name, in the form asked for.
    public func text(_ format: PrometheusFormat = .text) -> String {
        var text = ""
        for (name, family) in read() where !family.series.isEmpty {
            Self.write(name, family, format, to: &text)
        }
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    private static func write(_ name: String, _ family: Family, _ format: PrometheusFormat, to text: inout String) {
        // OpenMetrics names a counter's family without the `_total` of its samples.
        let title = format == .openMetrics && family.spec.kind == .counter ? String(name.dropLast(6)) : name
        if !family.spec.help.isEmpty { text += "# HELP \(title) \(escaped(family.spec.help, quotes: format == .openMetrics))\n" }
        text += "# TYPE \(title) \(family.spec.kind.word)\n"
        if format == .openMetrics, family.spec.unit != .count, title.hasSuffix("_\(family.spec.unit.rawValue)") {
            text += "# UNIT \(title) \(family.spec.unit.rawValue)\n"
        }
        for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
            switch series.cell {
            case let counter as CounterCell: text += "\(name)\(braced(labels)) \(counter.value)\n"
            case let number as NumberCell: text += "\(name)\(braced(labels)) \(written(number.value))\n"
            case let histogram as HistogramCell: write(name, labels, histogram, to: &text)
            default: break
            }
        }
    }

    private static func write(_ name: String, _ labels: String, _ histogram: HistogramCell, to text: inout String) {
        let sum = histogram.sum
        var count: Int64 = 0
        let comma = labels.isEmpty ? "" : ","
        for (bound, inBucket) in zip(histogram.bounds + [.infinity], histogram.values) {
            count += inBucket
            text += "\(name)_bucket{\(labels)\(comma)le=\"\(written(bound))\"} \(count)\n"
        }
        text += "\(name)_sum\(braced(labels)) \(written(sum))\n"
        text += "\(name)_count\(braced(labels)) \(count)\n"
    }

    private static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    private static func written(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        return value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
    }

    // MARK: Names and labels

    /// `a="x",b="y"`; a label without value is left out, which means the same.
    static func written(_ labels: Labels) -> String {
        labels.filter { !$0.1.isEmpty }.map { "\(name($0.0))=\"\(escaped($0.1, quotes: true))\"" }.joined(separator: ",")
    }

    /// A label as a name that Prometheus takes: `[a-zA-Z_][a-zA-Z0-9_]*`, other characters become `_`.
    static func name(_ label: String) -> String {
        let name = String(
            label.unicodeScalars.map { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": Character(scalar)
                default: "_"
                }
            })
        guard let first = name.first, !first.isNumber else { return "_" + name }
        return name
    }

    static func counterName(_ label: String) -> String {
        let name = name(label)
        return name.hasSuffix("_total") ? name : name + "_total"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

extension MetricSpec.Kind {
    fileprivate var word: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}
