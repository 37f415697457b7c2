import Commands
import Foundation
import Ingress
import Processing
import Service
import Spill
import Telemetry
import Testing
import Yams
import outbound_sender

/// Every metric there is.
enum Catalogue {
    static let metrics: [(name: String, spec: MetricSpec)] =
        all(IngressMetric.self) + all(SpillMetric.self) + all(CommandsMetric.self) + all(ProcessorMetric.self)
        + all(SenderMetric.self) + all(ServiceMetric.self) + all(PrometheusRegistry.Metric.self)

    private static func all<Metric: MetricCatalogue>(_: Metric.Type) -> [(name: String, spec: MetricSpec)] {
        Metric.allCases.map { ($0.rawValue, $0.spec) }
    }

    /// The metric behind a name in an expression, where a histogram goes by three.
    static func spec(of name: String) -> MetricSpec? {
        if let found = metrics.first(where: { $0.name == name }) {
            if case .histogram = found.spec.kind { return nil }
            return found.spec
        }
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            guard let found = metrics.first(where: { $0.name == name.dropLast(suffix.count) })?.spec else { continue }
            if case .histogram = found.kind { return found }
        }
        return nil
    }
}

/// The repository's own files.
private func file(_ path: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
}

@Suite struct CatalogueTests {
    @Test func everyNameFollowsPrometheusAndIsGivenOnce() {
        #expect(Set(Catalogue.metrics.map(\.name)).count == Catalogue.metrics.count)
        for (name, spec) in Catalogue.metrics {
            #expect(name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil)
            #expect(name.hasSuffix("_total") == (spec.kind == .counter), "\(name)")
            let stem = name.hasSuffix("_total") ? String(name.dropLast(6)) : name
            #expect(spec.unit == .count || stem.hasSuffix("_" + spec.unit.rawValue), "\(name) ends in its unit")
            #expect(spec.labels.allSatisfy { $0.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil })
            #expect(spec.help.hasSuffix("."), "\(name)")
            if case .histogram(let buckets) = spec.kind { #expect(buckets == buckets.sorted() && !buckets.isEmpty) }
        }
    }

    @Test func labelsNameNothingThatIsPersonalOrUnbounded() {
        let allowed: Set = [
            "kind", "reason", "http_response_status_code", "messaging_operation_name", "error_type", "group", "topic",
            "partition", "outcome", "state", "metric", "number",
        ]
        for (name, spec) in Catalogue.metrics { #expect(allowed.isSuperset(of: spec.labels), "\(name)") }
    }

    @Test func theAlertsAskForWhatExists() throws {
        let root = try #require(try Yams.load(yaml: file("deploy/prometheus/alerts.yaml")) as? [String: Any])
        let groups = try #require(root["groups"] as? [[String: Any]])
        let rules = groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
        #expect(rules.count > 10)
        for rule in rules {
            let name = try #require(rule["alert"] as? String)
            let expression = try PromQL(try #require(rule["expr"] as? String))
            #expect(expression.mistakes == [], "\(name)")
            #expect(!expression.metrics.isEmpty, "\(name)")
            let annotations = try #require(rule["annotations"] as? [String: String], "\(name)")
            #expect(annotations["summary"]?.isEmpty == false, "\(name)")
            // A label in a text must have survived the aggregation.
            for label in annotations.values.joined().matches(of: /\$labels\.([a-z_]+)/).map({ String($0.1) }) {
                #expect(expression.keptLabels.contains(label) || !expression.isAggregated, "\(name): \(label)")
            }
        }
    }

    @Test func theDashboardDrawsEveryMetricAndNothingElse() throws {
        let json = try JSONSerialization.jsonObject(with: Data(file("deploy/grafana/millrace.json").utf8))
        let dashboard = try #require(json as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        var drawn: Set<String> = []
        for panel in panels {
            for target in panel["targets"] as? [[String: Any]] ?? [] {
                let expression = try PromQL(try #require(target["expr"] as? String))
                #expect(expression.mistakes == [], "\(panel["title"] ?? "")")
                drawn.formUnion(expression.metrics)
            }
        }
        for (name, spec) in Catalogue.metrics {
            let forms = if case .histogram = spec.kind { ["_bucket", "_count", "_sum"].map { name + $0 } } else { [name] }
            #expect(!drawn.isDisjoint(with: forms), "\(name) is not drawn")
        }
    }

    @Test func theTableInTheDocumentationIsTheCatalogue() throws {
        let page = try file("Sources/EventLog/EventLog.docc/Metrics.md")
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
        let expected = Catalogue.metrics.map { name, spec in
            let labels = spec.labels.isEmpty ? "–" : spec.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(name)` | \(spec.kind.word) | \(labels) | \(spec.help) |"
        }
        #expect(rows == expected, "as it should be:\n\(expected.joined(separator: "\n"))")
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
