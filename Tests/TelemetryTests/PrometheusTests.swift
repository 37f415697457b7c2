import Metrics
import Telemetry
import Testing

@Suite struct PrometheusTests {
    private enum Shop: String, MetricCatalogue {
        case orders = "shop_orders_total"
        case weight = "shop_weight_bytes"
        case wait = "shop_wait_seconds"

        var spec: MetricSpec {
            switch self {
            case .orders: .counter(labels: ["kind", "note"], "Orders by kind;\nback\\slash.")
            case .weight: .gauge(.bytes, "What lies on the \"counter\".")
            case .wait: .histogram(.seconds, buckets: [0.1, 1], "How long they waited.")
            }
        }
    }

    @Test func theTextIsWhatPrometheusReads() {
        let registry = PrometheusRegistry()
        Shop.orders.counter("tea", "a \"b\"\\\nc", in: registry).increment(by: 3)
        Shop.orders.counter("cake", "", in: registry).increment()
        Shop.weight.gauge(in: registry).record(12)
        let wait = Shop.wait.timer(in: registry)
        for milliseconds in [50, 100, 101, 1_000, 60_000] { wait.recordMilliseconds(milliseconds) }
        #expect(
            registry.text() == """
                # HELP shop_orders_total Orders by kind;\\nback\\\\slash.
                # TYPE shop_orders_total counter
                shop_orders_total{kind="cake"} 1
                shop_orders_total{kind="tea",note="a \\"b\\"\\\\\\nc"} 3
                # HELP shop_wait_seconds How long they waited.
                # TYPE shop_wait_seconds histogram
                shop_wait_seconds_bucket{le="0.1"} 2
                shop_wait_seconds_bucket{le="1.0"} 4
                shop_wait_seconds_bucket{le="+Inf"} 5
                shop_wait_seconds_sum 61.251
                shop_wait_seconds_count 5
                # HELP shop_weight_bytes What lies on the "counter".
                # TYPE shop_weight_bytes gauge
                shop_weight_bytes 12.0

                """)
    }

    @Test func openMetricsNamesUnitsAndEnds() {
        let registry = PrometheusRegistry()
        Shop.orders.counter("tea", "", in: registry).increment(by: 3)
        Shop.weight.gauge(in: registry).record(-1.5)
        #expect(
            registry.text(.openMetrics) == """
                # HELP shop_orders Orders by kind;\\nback\\\\slash.
                # TYPE shop_orders counter
                shop_orders_total{kind="tea"} 3
                # HELP shop_weight_bytes What lies on the \\"counter\\".
                # TYPE shop_weight_bytes gauge
                # UNIT shop_weight_bytes bytes
                shop_weight_bytes -1.5
                # EOF

                """)
    }

    @Test func theFormatIsTheOneAskedFor() {
        #expect(PrometheusFormat(accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5") == .openMetrics)
        #expect(PrometheusFormat(accept: "*/*") == .text)
        #expect(PrometheusFormat(accept: nil) == .text)
    }

    @Test func instrumentsOfOneNameAndLabelsShareTheirSeries() {
        let registry = PrometheusRegistry()
        for _ in 0..<3 { Shop.orders.counter("tea", "", in: registry).increment() }
        #expect(registry.value(of: Shop.orders, "tea", "") == 3)
    }

    @Test func aDestroyedSeriesIsGoneWhenNobodyElseHasIt() {
        let registry = PrometheusRegistry()
        let (one, other) = (Shop.weight.gauge(in: registry), Shop.weight.gauge(in: registry))
        one.record(7)
        one.destroy()
        #expect(registry.value(of: Shop.weight) == 7)
        other.destroy()
        #expect(registry.value(of: Shop.weight) == nil)
        #expect(registry.text() == "")
    }

    @Test func seriesBeyondTheBoundAreCountedTogether() {
        let registry = PrometheusRegistry(maxSeries: 10)
        for number in 0..<1_000 { Shop.orders.counter("k\(number)", "", in: registry).increment() }
        #expect(registry.value(of: Shop.orders, "k9", "") == 1)
        #expect(registry.value(of: Shop.orders, "k10", "") == nil)
        #expect(registry.value(of: Shop.orders, "other", "other") == 990)
        #expect(registry.value(of: PrometheusRegistry.Metric.overflow, "shop_orders_total") == 990)
    }

    @Test func whatNobodyDefinedIsShownUnderANameThatPrometheusTakes() {
        let registry = PrometheusRegistry()
        Counter(label: "3rd.party-thing", dimensions: [("a.b", "ü")], factory: registry).increment(by: 2)
        Counter(label: "3rd.party-thing", dimensions: [("a.b", "ü")], factory: registry).increment(by: -5)
        Meter(label: "room", factory: registry).increment(by: 2.5)
        #expect(
            registry.text() == """
                # TYPE _3rd_party_thing_total counter
                _3rd_party_thing_total{a_b="ü"} 2
                # TYPE room gauge
                room 2.5

                """)
    }

    @Test func aNameKeepsItsFirstKind() {
        let registry = PrometheusRegistry()
        Shop.weight.gauge(in: registry).record(1)
        Timer(label: "shop_weight_bytes", factory: registry).recordSeconds(5)
        #expect(registry.value(of: Shop.weight) == 1)
    }

    @Test func countingFromManyThreadsLosesNothing() async {
        let registry = PrometheusRegistry()
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = Shop.orders.counter("tea", "", in: registry)
                    let wait = Shop.wait.timer(in: registry)
                    for _ in 0..<10_000 {
                        counter.increment()
                        wait.recordSeconds(1)
                    }
                }
            }
        }
        #expect(registry.value(of: Shop.orders, "tea", "") == 80_000)
        #expect(registry.value(of: Shop.wait) == 80_000)
        #expect(registry.text().contains("shop_wait_seconds_sum 80000.0\n"))
    }

    @Test func valuesAreBroughtUpToDateWhenTheyAreRead() {
        let registry = PrometheusRegistry()
        let gauge = Shop.weight.gauge(in: registry)
        registry.whenRead { gauge.record(42) }
        #expect(registry.value(of: Shop.weight) == 42)
    }
}
