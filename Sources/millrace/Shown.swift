import EventLog
import WhatsApp

/// What may be shown to an operator: no phone numbers in full, nothing that steers the terminal.
enum Shown {
    /// Text from outside with its numbers masked: of seven digits or more in a row only the last three stay.
    static func masked(_ text: String) -> String {
        var shown = ""
        var digits = ""
        func flush() {
            shown += digits.count >= 7 ? "···" + digits.suffix(3) : digits
            digits = ""
        }
        for character in self.text(text) {
            if character.isASCII, character.isNumber {
                digits.append(character)
            } else {
                flush()
                shown.append(character)
            }
        }
        flush()
        return shown
    }

    /// Text from outside in full, on one line: control characters become `·`.
    static func text(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "·" : $0 }))
    }

    /// Whoever writes a key may make it long; a page stays readable.
    static func key(_ key: [UInt8]?) -> String {
        key.map { cut(masked(String(decoding: $0.prefix(4 * longest), as: UTF8.self))) } ?? "no key"
    }

    /// Text from outside that stands in a table.
    static func cell(_ text: String) -> String { cut(self.text(text)) }

    /// The longest cell of a table that holds text from outside.
    private static let longest = 64

    /// The beginning of a long text, with `…` behind it.
    static func cut(_ text: String) -> String {
        text.unicodeScalars.count <= longest ? text : String(text.unicodeScalars.prefix(longest - 1)) + "…"
    }

    /// C0, C1, and what turns the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Rows in columns as wide as their widest cell; the first row is the head.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = row.enumerated().map { column, cell in
                cell + String(repeating: " ", count: widths[column] - cell.count)
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return "  " + line
        }.joined(separator: "\n")
    }

    /// `3 d`, `2 h`, `5 min`, `7 s`: how old something is, rounded down.
    static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case 172_800...: return "\(seconds / 86_400) d"
        case 7_200...: return "\(seconds / 3_600) h"
        case 120...: return "\(seconds / 60) min"
        default: return "\(seconds) s"
        }
    }
}
