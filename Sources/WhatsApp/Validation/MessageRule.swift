/// What a JSON value must be like, as data: the table of them is in `MessageRules.swift`.
///
/// Members that no rule names pass, and so does `null` where nothing is required: the platform adds fields faster than
/// anybody documents them, and a command is refused only for what is known to fail.
indirect enum MessageRule: Sendable {
    /// Text of so many characters, counted as Unicode scalars.
    ///
    /// The platform does not say what it counts. Scalars are never more than UTF-16 units, so a text that it would take
    /// either way is never refused here; one that is too long only in UTF-16 gets the platform's own answer.
    case text(ClosedRange<Int>)
    /// The same without emoji.
    case plainText(ClosedRange<Int>)
    /// This word and no other.
    case word(String)
    case flag
    /// A number within bounds, or text that stands for one.
    case number(ClosedRange<Double>)
    case anything
    case object([Member], [Condition] = [])
    /// `alone` holds instead of `of` for the only element of a list of one.
    case list(ClosedRange<Int>, of: MessageRule, alone: MessageRule? = nil, [ListCondition] = [])
    /// The word in the member `by`, in lower case, chooses the rule; another word passes, unless these are all there are.
    case chosen(by: String, [String: MessageRule], areAll: Bool = false)
    case all([MessageRule])

    static let someText = MessageRule.text(1...Int.max)
    static let anyText = MessageRule.text(0...Int.max)

    struct Member: Sendable {
        let name: String
        let isRequired: Bool
        let rule: MessageRule

        static func required(_ name: String, _ rule: MessageRule = .anything) -> Member {
            Member(name: name, isRequired: true, rule: rule)
        }
        static func optional(_ name: String, _ rule: MessageRule) -> Member {
            Member(name: name, isRequired: false, rule: rule)
        }
    }

    /// About the members of an object together.
    enum Condition: Sendable {
        case atLeastOne(of: [String])
        case without(String)
    }

    /// About the elements of a list together. A path names a member of each element, with dots between the levels.
    enum ListCondition: Sendable {
        /// No two elements have the same text there.
        case different(String)
        /// Elements of the lists there, in all.
        case total(String, ClosedRange<Int>)
        /// Needed as soon as there is more than one element.
        case requiredAmongSeveral(String)
    }
}

extension MessageRule {
    func check(_ value: JSON) throws(MessageFault) {
        switch self {
        case .anything: return
        case .text(let length): try Self.checkText(value, length)
        case .plainText(let length):
            try Self.checkText(value, length)
            if value.string?.unicodeScalars.contains(where: \.properties.isEmojiPresentation) == true {
                throw MessageFault("", "must not hold emoji")
            }
        case .word(let word): if value.string != word { throw MessageFault("", "must be \(word)") }
        case .flag: if value.bool == nil { throw MessageFault("", "must be true or false") }
        case .number(let range):
            let text = value.kind == .number ? String(decoding: value.bytes, as: UTF8.self) : value.string
            guard let number = text.flatMap({ Double($0) }) else {
                throw MessageFault("", "must be a number")
            }
            guard range.contains(number) else {
                throw MessageFault("", "must be from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
            }
        case .object(let members, let conditions): try Self.checkObject(value, members, conditions)
        case .list(let count, let element, let alone, let conditions):
            try Self.checkList(value, count, element, alone, conditions)
        case .chosen(let member, let rules, let areAll):
            try MessageRule.object([.required(member, .someText)]).check(value)
            if let rule = rules[value[member]?.string?.lowercased() ?? ""] {
                try rule.check(value)
            } else if areAll {
                throw MessageFault(member, "must be one of \(rules.keys.sorted().joined(separator: ", "))")
            }
        case .all(let rules): for rule in rules { try rule.check(value) }
        }
    }

    private static func checkText(_ value: JSON, _ length: ClosedRange<Int>) throws(MessageFault) {
        guard let text = value.string, length.contains(text.unicodeScalars.count) else {
            let rule: String =
                switch (length.lowerBound, length.upperBound) {
                case (0, .max): "must be text"
                case (_, .max): "must be text and not empty"
                case (let least, let most): "must be text of \(least) to \(most) characters"
                }
            throw MessageFault("", rule)
        }
    }

    private static func checkObject(
        _ value: JSON, _ members: [Member], _ conditions: [Condition]
    ) throws(MessageFault) {
        guard value.kind == .object else { throw MessageFault("", "must be an object") }
        for member in members {
            guard let found = value.present(member.name) else {
                if member.isRequired { throw MessageFault(member.name, "is required") }
                continue
            }
            do throws(MessageFault) { try member.rule.check(found) } catch { throw error.inside(member.name) }
        }
        for condition in conditions {
            switch condition {
            case .atLeastOne(let names):
                guard names.contains(where: { value.present($0) != nil }) else {
                    throw MessageFault("", "needs one of \(names.joined(separator: ", "))")
                }
            case .without(let name):
                if value.present(name) != nil { throw MessageFault(name, "must not be there") }
            }
        }
    }

    private static func checkList(
        _ value: JSON, _ count: ClosedRange<Int>, _ rule: MessageRule, _ alone: MessageRule?,
        _ conditions: [ListCondition]
    ) throws(MessageFault) {
        guard value.kind == .array else { throw MessageFault("", "must be a list") }
        let elements = value.elements
        guard count.contains(elements.count) else {
            let most = count.upperBound == .max ? "or more" : "to \(count.upperBound)"
            throw MessageFault("", "must have \(count.lowerBound) \(most) elements")
        }
        let rule = elements.count == 1 ? alone ?? rule : rule
        for (index, element) in elements.enumerated() {
            do throws(MessageFault) { try rule.check(element) } catch { throw error.inside("[\(index)]") }
        }
        for condition in conditions { try condition.check(elements) }
    }
}

extension MessageRule.ListCondition {
    fileprivate func check(_ elements: [JSON]) throws(MessageFault) {
        switch self {
        case .different(let path):
            var known: Set<String> = []
            for (index, element) in elements.enumerated() {
                guard let text = element.at(path)?.string, !known.insert(text).inserted else { continue }
                throw MessageFault("[\(index)].\(path)", "must differ from the others")
            }
        case .total(let path, let range):
            let total = elements.reduce(0) { $0 + ($1.at(path)?.elements.count ?? 0) }
            guard range.contains(total) else {
                throw MessageFault("", "must have \(range.lowerBound) to \(range.upperBound) \(path) in all")
            }
        case .requiredAmongSeveral(let path):
            guard elements.count > 1 else { return }
            for (index, element) in elements.enumerated() where element.at(path)?.string?.isEmpty ?? true {
                throw MessageFault("[\(index)].\(path)", "is required when there are several")
            }
        }
    }
}

extension JSON {
    /// The member unless it is null, which counts as absent.
    fileprivate func present(_ name: String) -> JSON? { self[name].flatMap { $0.isNull ? nil : $0 } }

    fileprivate func at(_ path: String) -> JSON? {
        path.split(separator: ".").reduce(self as JSON?) { $0?.present(String($1)) }
    }
}
