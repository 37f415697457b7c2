import Synchronization

/// A regular expression of a rule: found anywhere in the first 256 characters, case ignored.
///
/// Swift's engine goes back over the text on failure, so a pattern can take time exponential in the text's length. A
/// repeated group that holds a quantifier or alternatives, where that comes from, is refused when the rules are loaded.
/// What is left is polynomial (`a.*b.*c`), and the bound on the text keeps that short: a customer's message must not
/// stop everybody else's.
final class TextPattern: Sendable {
    enum Fault: Error, Sendable {
        case syntax
        case nestedRepetition
    }

    /// Of the text that is looked at, in Unicode scalars.
    static let maxLength = 256

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
        // Unicode scalars, not characters: a single character can be any number of them.
        let text = String(String.UnicodeScalarView(text.unicodeScalars.prefix(Self.maxLength)))
        return regex.withLock { (try? $0.firstMatch(in: text)) != nil }
    }

    /// Whether a group that holds a quantifier or alternatives is itself repeated, as in `(a+)+`, `(a|a)*`,
    /// `(a?){9}`. An optional group, `(…)?`, is not repeated.
    private static func nestsRepetition(_ source: String) -> Bool {
        var branches = [false]
        var isClass = false
        var characters = source[...]
        while let character = characters.popFirst() {
            switch character {
            case "\\":
                characters = characters.dropFirst()
                if !isClass && isQuantifier(characters) { branches[branches.count - 1] = true }
            case "[": isClass = true
            case _ where isClass && character != "]": break
            case "|": branches[branches.count - 1] = true
            case "]":
                isClass = false
                if isQuantifier(characters) { branches[branches.count - 1] = true }
            case "(":
                branches.append(false)
                // A question mark here begins `(?:…`, not a quantifier.
                if characters.first == "?" { characters = characters.dropFirst() }
            case ")" where branches.count > 1:
                let inner = branches.removeLast()
                if inner && isQuantifier(characters) && characters.first != "?" { return true }
                branches[branches.count - 1] = branches[branches.count - 1] || inner || isQuantifier(characters)
            default:
                if isQuantifier(characters) { branches[branches.count - 1] = true }
            }
        }
        return false
    }

    private static func isQuantifier(_ rest: Substring) -> Bool {
        guard let first = rest.first else { return false }
        return "*+?{".contains(first)
    }
}
