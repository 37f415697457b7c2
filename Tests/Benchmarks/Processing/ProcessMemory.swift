import Foundation
import Synchronization

/// This process's resident size, looked at as records pass.
final class ProcessMemory: Sendable {
    private struct Book {
        var next: Int64 = 0
        var warm: Double?
        var peak = 0.0
    }

    /// So many records are needed to warm up.
    private let warm: Int64
    private let book = Mutex(Book())

    init(warm: Int64) { self.warm = warm }

    static var program: String { URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path }

    /// Looks ten times as often as it takes to warm up.
    func look(_ records: Int64) {
        book.withLock { book in
            if records < book.next { return }
            book.next = records + warm / 10
            let size = Self.residentMiB
            if records < warm { return }
            if book.warm == nil { book.warm = size }
            book.peak = max(book.peak, size)
        }
    }

    /// From warm to the peak after it, in MiB; nil when the run was too short.
    var growth: Double? { book.withLock { book in book.warm.map { book.peak - $0 } } }
    var summary: String {
        book.withLock { String(format: "%.0f MiB when warm, %.0f MiB at most after that", $0.warm ?? .nan, $0.peak) }
    }

    private static var residentMiB: Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 / 1_024 } ?? 0
    }
}
