import Synchronization

/// A regular expression of a rule: found anywhere in the first 4,096 characters, case ignored.
///
/// Swift's engine goes back over the text on failure, so a pattern can take time exponential in the text's length.
/// The bound on the text alone does not help against that; nested repetition, where it usually comes from, is refused
/// when the rules are loaded. Alternatives that overlap within a repetition, as in `(a|a)*`, are the writer's care.
final class TextPattern: Sendable {
    enum Fault: Error, Sendable {
        case syntax
        case nestedRepetition
    }

    let source: String
    // A `Regex` compiles itself on first use, so it must not be used by two threads at once.
    private let regex: Mutex<Regex<AnyRegexOutput>>

    init(_ source: String) throws(Fault) {
        if Self.nestsRepetition(source) { throw .nestedRepetition }
        guard let regex = try? Regex(source) else { throw .syntax }
        self.source = source
        self.regex = Mutex(regex.ignoresCase())
    }

    func matches(_ text: String) -> Bool {
        let text = String(text.prefix(FoldedText.maxCharacters))
        return regex.withLock { (try? $0.firstMatch(in: text)) != nil }
    }

    /// Whether a group that holds an unbounded repetition is itself repeated without bound, as in `(a+)+`.
    private static func nestsRepetition(_ source: String) -> Bool {
        var repeats = [false]
        var isClass = false
        var characters = source[...]
        while let character = characters.popFirst() {
            switch character {
            case "\\":
                characters = characters.dropFirst()
                if !isClass && isUnbounded(characters) { repeats[repeats.count - 1] = true }
            case "[": isClass = true
            case _ where isClass && character != "]": break
            case "]":
                isClass = false
                if isUnbounded(characters) { repeats[repeats.count - 1] = true }
            case "(":
                repeats.append(false)
                // A question mark here begins `(?:…`, not a quantifier.
                if characters.first == "?" { characters = characters.dropFirst() }
            case ")" where repeats.count > 1:
                let inner = repeats.removeLast()
                let isRepeated = isUnbounded(characters)
                if inner && isRepeated { return true }
                repeats[repeats.count - 1] = repeats[repeats.count - 1] || inner || isRepeated
            default:
                if isUnbounded(characters) { repeats[repeats.count - 1] = true }
            }
        }
        return false
    }

    /// Whether a quantifier without upper bound comes next.
    private static func isUnbounded(_ rest: Substring) -> Bool {
        switch rest.first {
        case "*", "+": return true
        case "{":
            guard let end = rest.firstIndex(of: "}") else { return false }
            return rest[..<end].hasSuffix(",")
        default: return false
        }
    }
}
