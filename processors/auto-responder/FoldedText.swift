import Foundation

/// Text as rules compare it: without case, accents, width and emoji variants, blanks run together, at most the first
/// 4,096 characters.
///
/// Only the marks of Unicode's "combining diacritical marks" blocks go: the vowel signs of other scripts change words.
struct FoldedText: Sendable, Hashable {
    /// The longest text a business can send; what lies beyond decides no rule, and every match stays cheap.
    static let maxCharacters = 4_096

    let scalars: [Unicode.Scalar]

    init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        let plain = String(text.prefix(Self.maxCharacters)).decomposedStringWithCompatibilityMapping.lowercased()
        for scalar in plain.unicodeScalars where !Self.isMark(scalar) {
            if !scalar.properties.isWhitespace {
                scalars.append(scalar)
            } else if scalars.last.map({ $0 != " " }) ?? false {
                scalars.append(" ")
            }
        }
        if scalars.last == " " { scalars.removeLast() }
        self.scalars = scalars
    }

    var isEmpty: Bool { scalars.isEmpty }

    /// Whether `words` stand in the text as words of their own: "price" is in "What price?" and not in "priceless".
    /// Scripts that put no blanks between words, and emoji, match anywhere.
    func contains(words: FoldedText) -> Bool {
        guard let first = words.scalars.first, let last = words.scalars.last else { return false }
        let length = words.scalars.count
        var start = 0
        while start + length <= scalars.count {
            let end = start + length
            if scalars[start] == first, scalars[start..<end].elementsEqual(words.scalars),
                start == 0 || !(Self.joins(scalars[start - 1]) && Self.joins(first)),
                end == scalars.count || !(Self.joins(last) && Self.joins(scalars[end]))
            {
                return true
            }
            start += 1
        }
        return false
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0300...0x036F, 0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x20D0...0x20FF, 0xFE00...0xFE0F, 0xFE20...0xFE2F: true
        default: false
        }
    }

    /// Whether a character makes one word with a neighbour of its kind.
    private static func joins(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Thai and Lao, Myanmar, Khmer, Japanese syllables: no blanks between words.
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF: return false
        default:
            let properties = scalar.properties
            if properties.isIdeographic { return false }
            return properties.isAlphabetic || properties.numericType != nil
        }
    }
}
