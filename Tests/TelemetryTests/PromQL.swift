import Testing
import Telemetry

/// As much of Prometheus' query language as tells which metrics and labels an expression names.
struct PromQL {
    /// As they are written, with `_bucket` and the like.
    private(set) var metrics: Set<String> = []
    /// Of `by (…)`.
    private(set) var keptLabels: Set<String> = []
    private(set) var isAggregated = false
    private(set) var mistakes: [String] = []

    struct Unreadable: Error {}

    private static let words: Set = ["and", "or", "unless", "bool", "offset", "ignoring", "group_left", "group_right"]
    private static let aggregations: Set = ["sum", "min", "max", "avg", "count", "topk", "bottomk"]
    /// Labels that come from the scrape.
    private static let scraped: Set = ["job", "instance"]

    init(_ text: String) throws {
        var tokens = try Self.tokens(text)[...]
        var labels: Set<String> = []
        while let token = tokens.popFirst() {
            guard token.first!.isLetter, !Self.words.contains(token) else { continue }
            if token == "by" || token == "without" || token == "on" {
                let list = tokens.prefix { $0 != ")" }
                tokens = tokens.dropFirst(list.count)
                let names = list.filter { $0.first!.isLetter }
                labels.formUnion(names)
                if token == "by" { keptLabels.formUnion(names) }
            } else if tokens.first == "(" || Self.aggregations.contains(token) {
                if Self.aggregations.contains(token) { isAggregated = true }
            } else {
                labels.formUnion(metric(token, &tokens))
            }
        }
        let known = metrics.compactMap(Catalogue.spec).reduce(into: Self.scraped) { $0.formUnion($1.labels) }
        for label in labels where label != "le" && !known.contains(label) { mistakes.append("no label \(label)") }
    }

    /// Takes a selector's matchers off and checks that they are the metric's.
    private mutating func metric(_ name: String, _ tokens: inout ArraySlice<String>) -> Set<String> {
        metrics.insert(name)
        guard let spec = Catalogue.spec(of: name) else {
            mistakes.append("no metric \(name)")
            return []
        }
        guard tokens.first == "{" else { return [] }
        let matchers = tokens.prefix { $0 != "}" }
        tokens = tokens.dropFirst(matchers.count)
        for label in matchers where label.first!.isLetter {
            let isBound = label == "le" && name.hasSuffix("_bucket")
            if !isBound, !spec.labels.contains(label), !Self.scraped.contains(label) {
                mistakes.append("\(name) has no label \(label)")
            }
        }
        return []
    }

    /// Names, numbers with their units, texts and single signs.
    private static func tokens(_ text: String) throws -> [String] {
        var tokens: [String] = []
        var rest = text[...]
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
            } else if first == "\"" {
                guard let end = rest.dropFirst().firstIndex(of: "\"") else { throw Unreadable() }
                rest = rest[rest.index(after: end)...]
                tokens.append("\"")
            } else if first.isLetter || first == "_" {
                let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" }
                tokens.append(String(name))
                rest = rest.dropFirst(name.count)
            } else if first.isNumber || first == "$" {
                // `0.99`, `5m`, `$__rate_interval`
                let number = rest.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
                rest = rest.dropFirst(number.count + 1)
                tokens.append("0")
            } else {
                tokens.append(String(first))
                rest.removeFirst()
            }
        }
        return tokens
    }
}


@Suite struct PromQLTests {
    @Test func whatIsWrongIsSeen() throws {
        func mistakes(_ text: String) throws -> [String] { try PromQL(text).mistakes }
        #expect(try mistakes("sum by (job, le) (rate(http_server_request_duration_seconds_bucket{le=\"1.0\"}[5m])) > 1") == [])
        #expect(try mistakes("rate(http_server_requests_total[5m])") == ["no metric http_server_requests_total"])
        #expect(try mistakes("service_ready{phone=\"1\"}") == ["service_ready has no label phone"])
        #expect(try mistakes("sum by (topic) (service_ready)") == ["no label topic"])
        #expect(try mistakes("http_server_request_duration_seconds") == ["no metric http_server_request_duration_seconds"])
    }
}
