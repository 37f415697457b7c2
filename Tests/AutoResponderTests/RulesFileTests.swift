import Testing
import WhatsApp

@testable import auto_responder

@Suite struct RulesFileTests {
    private static func rule(_ body: String) -> String { "rules:\n  - {name: r1, \(body)}" }
    private static func interactive(_ body: String) -> String {
        rule("when: default, reply: {interactive: {\(body)}}")
    }
    private static let long = String(repeating: "x", count: 21)

    @Test(
        arguments: [
            ("", "rules", nil),
            ("rules: []", "rules", nil),
            ("- a", "rules", nil),
            ("rules: [a", "file", nil),
            ("rule: []", "rule", nil),
            ("rules:\n  - {when: default, reply: none}", "name", "#1"),
            (rule("reply: none"), "when", "r1"),
            (rule("when: default"), "reply", "r1"),
            (rule("when: always, reply: none"), "when", "r1"),
            (rule("when: {}, reply: none"), "when.keyword", "r1"),
            (rule("when: {keywords: hi}, reply: none"), "when.keywords", "r1"),
            (rule("when: {keyword: []}, reply: none"), "when.keyword", "r1"),
            (rule("when: {keyword: [hi, '']}, reply: none"), "when.keyword", "r1"),
            (rule("when: {keyword: {a: b}}, reply: none"), "when.keyword", "r1"),
            (rule("when: {exact: ' '}, reply: none"), "when.exact", "r1"),
            (rule("when: {regex: '[a'}, reply: none"), "when.regex", "r1"),
            (rule("when: {regex: '(a+)+'}, reply: none"), "when.regex", "r1"),
            (rule("when: {type: [text, reaction]}, reply: none"), "when.type", "r1"),
            (rule("when: default, reply: nothing"), "reply", "r1"),
            (rule("when: default, reply: {}"), "reply.text", "r1"),
            (rule("when: default, reply: {text: ''}"), "reply.text", "r1"),
            (rule("when: default, reply: {text: true}"), "reply.text", "r1"),
            (rule("when: default, reply: {text: 'Hi {nmae}'}"), "reply.text", "r1"),
            (rule("when: default, reply: {text: 'Hi {name'}"), "reply.text", "r1"),
            (rule("when: default, reply: {text: hi, preview_url: maybe}"), "reply.preview_url", "r1"),
            (rule("when: default, reply: {text: hi, interactive: {type: button}}"), "reply.text", "r1"),
            (rule("when: default, reply: {template: x}"), "reply.template", "r1"),
            (interactive("body: {text: a}"), "reply.interactive.type", "r1"),
            (interactive("type: button, body: {text: a}"), "reply.interactive.action", "r1"),
            (
                interactive("type: button, body: {text: a}, action: {buttons: []}"), "reply.interactive.action.buttons",
                "r1"
            ),
            (
                interactive("type: button, body: {text: a}, action: {buttons: [{reply: {id: a, title: \(long)}}]}"),
                "reply.interactive.action.buttons[0].reply.title", "r1"
            ),
            (
                interactive(
                    "type: button, body: {text: a}, action: {buttons: [{reply: {id: a, title: b}}, {reply: {id: a, title: c}}]}"
                ),
                "reply.interactive.action.buttons[1].reply.id", "r1"
            ),
            (
                interactive("type: button, body: {}, action: {buttons: [{reply: {id: a, title: b}}]}"),
                "reply.interactive.body.text", "r1"
            ),
            (
                interactive("type: list, body: {text: a}, action: {button: b, sections: [{rows: []}]}"),
                "reply.interactive.action.sections[0].rows", "r1"
            ),
            (
                interactive("type: list, body: {text: a}, action: {sections: [{rows: [{id: a, title: b}]}]}"),
                "reply.interactive.action.button", "r1"
            ),
            (
                interactive(
                    "type: cta_url, action: {a: \(String(repeating: "[", count: 200) + String(repeating: "]", count: 200))}"
                ),
                "reply.interactive", "r1"
            ),
            (rule("when: default, reply: none") + "\n  - {name: r1, when: {id: a}, reply: none}", "name", "r1"),
            (rule("when: default, reply: none") + "\n  - {name: r2, when: {id: a}, reply: none}", "when", "r2"),
            (rule("when: default, reply: none") + "\ncap: {replies: 0, per: 60s}", "cap.replies", nil),
            (rule("when: default, reply: none") + "\ncap: {replies: 5, per: 60}", "cap.per", nil),
            (rule("when: default, reply: none") + "\ncap: {replies: 5, per: 8d}", "cap.per", nil),
            (rule("when: default, reply: none") + "\ncap: {reply: 5, per: 8d}", "cap.reply", nil),
            (rule("when: default, reply: none") + "\ngroups: sometimes", "groups", nil),
        ] as [(String, String, String?)])
    func errorNamesRuleAndField(_ yaml: String, _ field: String, _ rule: String?) {
        let error = #expect(throws: RulesError.self) { try ReplyRules(yaml: yaml) }
        #expect(error?.field == field)
        #expect(error?.rule == rule)
    }

    @Test func errorSaysTheLine() {
        let yaml = "rules:\n  - name: one\n    when: default\n    reply:\n      text: 'Hi {nmae}'\n"
        let error = #expect(throws: RulesError.self) { try ReplyRules(yaml: yaml) }
        #expect(error?.line == 5)
        #expect(error?.description.contains(#"rule "one", field reply.text, line 5: unknown place {nmae}"#) == true)
    }

    @Test func limitsCountTheLongestName() {
        func loads(_ title: String) -> Bool {
            let interactive = Self.interactive(
                "type: button, body: {text: a}, action: {buttons: [{reply: {id: a, title: '\(title)'}}]}")
            return (try? ReplyRules(yaml: interactive)) != nil
        }
        #expect(loads(String(repeating: "ü", count: 20)))
        #expect(!loads("{name}"))
    }

    @Test func capsAndGroupsAreRead() throws {
        let tail = Self.rule("when: default, reply: none")
        #expect(try ReplyRules(yaml: tail).caps == ReplyRules.Cap.standard)
        #expect(try !ReplyRules(yaml: tail).answersGroups)
        let one = try ReplyRules(yaml: tail + "\ncap: {replies: 5, per: 2m}\ngroups: true")
        #expect(one.caps == [ReplyRules.Cap(replies: 5, per: .seconds(120))])
        #expect(one.answersGroups)
        let two = try ReplyRules(yaml: tail + "\ncap: [{replies: 5, per: 1h}, {replies: 9, per: 1d}]")
        #expect(two.caps.map(\.per) == [.seconds(3_600), .seconds(86_400)])
    }

    @Test func yesAndNumbersStayTheTextTheyAre() throws {
        let rules = try ReplyRules(
            yaml: Self.interactive(
                "type: button, body: {text: 1}, action: {buttons: [{type: reply, reply: {id: yes, title: 007}}]}"))
        let message = try #require(rules.rules[0].reply).message(name: nil, quoting: "wamid.1")
        let reply = message["interactive"]
        #expect(reply?["body"]?["text"]?.string == "1")
        let button = reply?["action"]?["buttons"]?.elements.first?["reply"]
        #expect(button?["id"]?.string == "yes")
        #expect(button?["title"]?.string == "007")
    }

    @Test(arguments: [
        ("Ana", "Hi Ana!"), (nil, "Hi there!"), ("  ", "Hi there!"), ("a\nb\u{202E}c", "Hi a bc!"),
        (#"O"Neil \ {name}"#, #"Hi O"Neil \ {name}!"#), ("👩‍👩‍👧", "Hi 👩‍👩‍👧!"),
        (String(repeating: "n", count: 99), "Hi \(String(repeating: "n", count: 40))!"),
    ])
    func namesAreFilledInSafely(_ name: String?, _ text: String) throws {
        let rules = try ReplyRules(yaml: Self.rule("when: default, reply: {text: 'Hi {name|there}!'}"))
        let message = try #require(rules.rules[0].reply).message(name: name, quoting: "wamid.1")
        #expect(message["text"]?["body"]?.string == text)
    }

    @Test func doubledBracesAreBraces() throws {
        let text = try ReplyTemplate.Text("{{name}} {name|}{{}}")
        #expect(text.filled(name: "Ana") == "{name} Ana{}")
        #expect(text.filled(name: nil) == "{name} {}")
    }

    @Test func exampleRulesLoadAndReachEveryRule() throws {
        let rules = try ReplyRules.example()
        #expect(rules.rules.count > 5)
        #expect(rules.rules.last?.when.isDefault == true)
        #expect(rules.caps == ReplyRules.Cap.standard)
    }
}
