/// The files of a new processor: the shortest honest example, to be changed by its owner.
///
/// README.md, "Write your own processor", shows them for the name `sentiment`; a test holds the two together.
struct ProcessorTemplate {
    /// As the executable is called, e.g. `language-detector`.
    let name: String
    /// `LanguageDetector`: type and folder of the tests.
    let typeName: String
    /// `language_detector`: how Swift imports it.
    let moduleName: String

    struct File: Equatable {
        /// Below the package's folder.
        var path: String
        var text: String
    }

    /// Why a name cannot be used, in words for the person who chose it.
    struct BadName: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// - Parameter taken: names of the package's targets, in lower case.
    init(name: String, taken: Set<String> = []) throws(BadName) {
        let words = name.split(separator: "-", omittingEmptySubsequences: false)
        guard name.utf8.count <= 40, words.allSatisfy(Self.isWord), words[0].first?.isLetter == true else {
            throw BadName(
                description: "a processor's name is lower-case words of a-z and 0-9 joined by '-', at most 40 letters, like language-detector")
        }
        typeName = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        guard !Self.reserved.contains(name), taken.isDisjoint(with: [name, "\(typeName)Tests".lowercased()]) else {
            throw BadName(description: "the name \(name) is taken")
        }
        self.name = name
        moduleName = words.joined(separator: "_")
    }

    private static func isWord(_ word: Substring) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { ("a"..."z").contains(Unicode.Scalar($0)) || ("0"..."9").contains(Unicode.Scalar($0)) }
    }

    /// Swift's words that no module can have as its name, and names that say nothing.
    private static let reserved: Set<String> = [
        "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do",
        "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import", "in",
        "init", "inout", "internal", "is", "let", "main", "new", "nil", "operator", "precedencegroup", "private",
        "protocol", "public", "repeat", "rethrows", "return", "self", "static", "struct", "subscript", "super", "swift",
        "switch", "test", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
    ]

    var files: [File] {
        [
            File(path: "processors/\(name)/\(typeName)Processor.swift", text: processor),
            File(path: "processors/\(name)/main.swift", text: main),
            File(path: "Tests/\(typeName)Tests/\(typeName)Tests.swift", text: tests),
        ]
    }

    /// What `Package.swift` needs: this line in its list `processors`.
    var manifestLine: String { "    processor(\"\(name)\"),\n" }

    private var processor: String {
        """
        import EventLog
        import Processing
        import WhatsApp

        /// Rates how kind each text of a customer is, on a topic of its own.
        struct \(typeName)Processor: Processor {
            let name = "\(name)"
            let inputs: [Topic]
            let outputs: [Topic] = ["\(name).v1"]

            init(topics: Topics) { inputs = [topics.messages] }

            func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
                let message = try InboundMessage(record)
                guard let text = message.text else { return [] }
                let event = try CloudEvent.caused(by: record, processor: name, type: "\(name).rated.v1")
                let value = JSONWriter.object { json in
                    json.member("message_id", message.id)
                    json.member("score", Self.score(text))
                }
                return [Record(topic: outputs[0], key: record.key, value: value, headers: event.headers)]
            }

            /// Kind words less unkind ones.
            static func score(_ text: String) -> Int {
                let words = text.lowercased().split { !$0.isLetter }
                return words.count { kind.contains($0) } - words.count { unkind.contains($0) }
            }

            private static let kind: Set<Substring> = ["thanks", "great", "good", "love", "perfect"]
            private static let unkind: Set<Substring> = ["bad", "late", "broken", "never", "refund"]
        }

        """
    }

    private var main: String {
        """
        import Service

        await MillraceService.main { host in \(typeName)Processor(topics: host.settings.topics) }

        """
    }

    private var tests: String {
        """
        import EventLog
        import ProcessorTesting
        import Testing
        import WhatsApp

        @testable import \(moduleName)

        @Suite struct \(typeName)Tests {
            private let tester = ProcessorTester(\(typeName)Processor(topics: Topics()))

            @Test func aKindTextIsRated() async throws {
                let outputs = try await tester.feed([.message("Thanks, great service!", id: "wamid.1")])
                #expect(outputs.map(\\.text) == [#"{"message_id":"wamid.1","score":2}"#])
            }

            @Test func aRecordThatCannotBeReadIsADeadLetter() async {
                var broken = StoredRecord.message("hello")
                broken.value = nil
                #expect(await tester.run([broken]).isEmpty)
                #expect(tester.deadLetters.map(\\.failure.errorClass) == ["malformed"])
            }
        }

        """
    }
}
