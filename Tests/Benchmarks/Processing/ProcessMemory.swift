import Foundation
import Synchronization

/// This process's resident size, looked at as records pass: the peak of their first half beside that of the second. Buffers
/// fill and empty as writer and reader overtake each other; what leaks only grows.
final class ProcessMemory: Sendable {
    private struct Book {
        var next: Int64 = 0
        var peaks = (first: 0.0, second: 0.0)
    }

    private let records: Int64
    private let book = Mutex(Book())

    init(records: Int) { self.records = Int64(records) }

    static var program: String { URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path }

    /// Looks a hundred times in all.
    func look(_ passed: Int64) {
        book.withLock { book in
            if passed < book.next { return }
            book.next = passed + records / 100
            let size = Self.residentMiB
            if passed < records / 2 {
                book.peaks.first = max(book.peaks.first, size)
            } else {
                book.peaks.second = max(book.peaks.second, size)
            }
        }
    }

    /// Of the peak, from the first half to the second, in MiB.
    var growth: Double { book.withLock { $0.peaks.second - $0.peaks.first } }
    var summary: String {
        book.withLock { String(format: "at most %.0f MiB in the first half, %.0f MiB in the second", $0.peaks.first, $0.peaks.second) }
    }

    private static var residentMiB: Double {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 / 1_024 } ?? 0
    }
}
