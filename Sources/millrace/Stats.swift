import ArgumentParser
import EventLog
import Foundation
import WhatsApp

/// `millrace stats`: the analytics topic as a table.
struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Messages in, out, sent, delivered, read and failed, per number and minute.")

    @Option(help: "How many of the newest minutes to show.") var minutes = 15

    func run() async throws {
        try await withLog { log, settings in
            var newest: [[UInt8]: AnalyticsWindow] = [:]
            let partitions = try await log.admin.partitions(of: settings.topics.analytics)
            try await Scan(log: log).forEachRecord(of: partitions) { record in
                guard let key = record.key else { return }
                newest[key] = record.value.flatMap(AnalyticsWindow.init(decoding:))
            }
            print(Self.table(of: Array(newest.values), minutes: minutes))
        }
    }

    /// Windows of all source partitions added up, newest minutes last, with a total over everything held.
    static func table(of windows: [AnalyticsWindow], minutes: Int) -> String {
        if windows.isEmpty { return "nothing counted yet" }
        var sums: [AnalyticsWindow.Key: AnalyticsWindow] = [:]
        for window in windows { sums[window.key, default: AnalyticsWindow(key: window.key)].add(window) }
        let shown = Set(sums.keys.map(\.from)).sorted().suffix(minutes)
        var lines = [row("minute", "number", "in", "out", "sent", "delivered", "read", "failed")]
        for key in sums.keys.sorted(by: { ($0.from, $0.number) < ($1.from, $1.number) }) where shown.contains(key.from) {
            let time = Date(timeIntervalSince1970: Double(key.from.milliseconds) / 1_000)
            lines.append(line(time.formatted(.iso8601), key.number, sums[key]!))
        }
        for number in Set(sums.keys.map(\.number)).sorted() {
            var total = AnalyticsWindow(key: .init(number: number, at: Timestamp(milliseconds: 0)))
            for (key, window) in sums where key.number == number { total.add(window) }
            lines.append(line("total", number, total))
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ time: String, _ number: String, _ sum: AnalyticsWindow) -> String {
        func detail(_ counts: [String: Int]) -> String {
            let total = counts.values.reduce(0, +)
            if total == 0 { return "0" }
            return "\(total) (" + counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") + ")"
        }
        return row(
            time, number, "\(sum.incoming.values.reduce(0, +))", "\(sum.out)", "\(sum.sent)", "\(sum.delivered)",
            "\(sum.read)", detail(sum.failed))
    }

    private static func row(_ cells: String...) -> String {
        let widths = [22, 18, 8, 8, 8, 11, 8, 0]
        return zip(cells, widths).map { $0 + String(repeating: " ", count: max(1, $1 - $0.count)) }.joined()
            .trimmingCharacters(in: .whitespaces)
    }
}
