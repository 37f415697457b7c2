import D360
import Foundation
import Synchronization

/// Webhooks at a steady rate from many customers; each customer's next one is sent when the one before was answered 200,
/// and one that is not is delivered again, as the provider does.
final class WebhookLoad: Sendable {
    struct Report: Sendable {
        /// Message ids answered 200, in each customer's order.
        var acknowledged: [String] = []
        /// Deliveries that were not, by status; 0 when there was no answer.
        var refused: [Int: Int] = [:]
        /// Of the answers 200, in milliseconds.
        var latencies: [Double] = []

        func latency(_ quantile: Double) -> Double {
            let sorted = latencies.sorted()
            return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * quantile))]
        }
        var summary: String {
            let numbers = [0.5, 0.99, 1].map { String(format: "%.0f", latency($0)) }.joined(separator: " / ")
            return "\(acknowledged.count) answered 200, refused \(refused), p50 / p99 / max \(numbers) ms"
        }
    }

    private let url: String
    private let customers: Int
    private let padding: String
    private let transport = HTTPTransport(
        HTTPTransportConfiguration(maxConnectionsPerHost: 1_000, maxConnections: 1_000, connectTimeout: .seconds(1)))
    private let book = Mutex(Report())

    init(port: Int, customers: Int, padding: Int = 0) {
        url = "http://127.0.0.1:\(port)/webhooks/demo"
        self.customers = customers
        self.padding = String(repeating: "x", count: padding)
    }

    var report: Report { book.withLock { $0 } }

    /// Sends for that long, and until all are answered 200; or each customer gives up at his first refusal.
    func run(perSecond rate: Double, for time: Duration, givingUpWhenRefused: Bool = false) async {
        let interval = Duration.seconds(Double(customers) / rate)
        let start = ContinuousClock.now
        await withDiscardingTaskGroup { group in
            for customer in 0..<customers {
                group.addTask {
                    var due = start + interval * (Double(customer) / Double(self.customers))
                    var number = 0
                    while due < start + time {
                        try? await Task.sleep(until: due)
                        number += 1
                        while !(await self.deliver(customer, number)) {
                            if givingUpWhenRefused { return }
                            try? await Task.sleep(for: .milliseconds(200))
                        }
                        due += interval
                    }
                }
            }
        }
    }

    func close() async { await transport.shutdown() }

    static func id(_ customer: Int, _ number: Int) -> String { "wamid.\(customer).\(number)" }

    private func deliver(_ customer: Int, _ number: Int) async -> Bool {
        let id = Self.id(customer, number)
        let begin = ContinuousClock.now
        let request = HTTPRequest(
            url: url,
            headers: [HTTPField("Authorization", "Basic " + Data("demo:secret".utf8).base64EncodedString())],
            body: body(id, customer), timeout: .seconds(5))
        let status = (try? await transport.perform(request))?.status ?? 0
        let taken = (ContinuousClock.now - begin) / .milliseconds(1)
        book.withLock { book in
            if status == 200 {
                book.acknowledged.append(id)
                book.latencies.append(taken)
            } else {
                book.refused[status, default: 0] += 1
            }
        }
        return status == 200
    }

    private func body(_ id: String, _ customer: Int) -> [UInt8] {
        Array(
            """
            {"object":"whatsapp_business_account","entry":[{"id":"900100200300401","changes":[{"field":"messages",\
            "value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550009001",\
            "phone_number_id":"700100200300501"},"contacts":[{"profile":{"name":"Ana"},"wa_id":"1555\(customer)"}],\
            "messages":[{"from":"1555\(customer)","id":"\(id)","timestamp":"1790000007","type":"text",\
            "text":{"body":"hello \(padding)"}}]}}]}]}
            """.utf8)
    }
}
