import Testing

@testable import auto_responder

@Suite struct MatchingTests {
    @Test(arguments: [
        ("price", "What is the PRICE?", true),
        ("price", "price", true),
        ("price", "Priceless!", false),
        ("price", "overprice", false),
        ("price", "(price)", true),
        ("price", "pri ce", false),
        ("opening hours", "your  opening\n hours, please", true),
        ("opening hours", "opening the hours", false),
        ("geoffnet", "Wann habt ihr geöffnet?", true),
        ("geöffnet", "GEOFFNET", true),
        ("cuál", "¿Cual es?", true),
        ("e\u{301}te\u{301}", "L'ÉTÉ", true),
        ("price", "ｐｒｉｃｅ", true),
        ("価格", "この価格は?", true),
        ("ราคา", "ขอราคาหน่อย", true),
        ("цена", "Какая ЦЕНА?", true),
        ("कल", "कुल", false),
        ("👋", "hi👋🏽there", true),
        ("❤️", "❤", true),
        ("a", "b", false),
        ("h&m", "at H&M now", true),
        ("4711", "order 47110", false),
        ("stop", "", false),
    ])
    func keywordIsAWordOfTheText(_ keyword: String, _ text: String, _ found: Bool) {
        #expect(FoldedText(text).contains(words: FoldedText(keyword)) == found)
    }

    @Test func exactIgnoresCaseAccentsAndOuterBlanks() {
        #expect(FoldedText("  STÖP \n") == FoldedText("stop"))
        #expect(FoldedText("stop!") != FoldedText("stop"))
        #expect(FoldedText(" \u{301}\n").isEmpty)
    }

    @Test func textBeyondTheBoundDecidesNothing() throws {
        let padding = String(repeating: "x ", count: FoldedText.maxCharacters / 2 - 1)
        #expect(FoldedText(padding + "hi").contains(words: FoldedText("hi")))
        #expect(!FoldedText(padding + "xxhi hi").contains(words: FoldedText("hi")))
        let pattern = try TextPattern("needle")
        #expect(!pattern.matches(String(repeating: "x", count: TextPattern.maxLength) + "needle"))
        #expect(pattern.matches(String(repeating: "x", count: TextPattern.maxLength - 6) + "NEEDLE"))
        #expect(!pattern.matches("x" + String(repeating: "\u{301}", count: TextPattern.maxLength) + "needle"))
    }

    @Test(arguments: ["(a+)+$", "(\\w+\\s?)*", "((ab)*c)+", "(?:a*|b)*", "(a{2,})+", "x(y(z+))*", "([a-z]+,)+",
        "(a|a)*b", "(?:a{1,50}){1,50}b", "(a?a?)+b", "^(.*?,){11}P"])
    func nestedRepetitionIsRefused(_ source: String) {
        #expect(throws: TextPattern.Fault.nestedRepetition) { try TextPattern(source) }
    }

    @Test(arguments: [
        "a+b+", "(ab)+", "(a|b)c+", "(hi|hello)?", "[(+]+(x)*", "(\\w\\+)*", "([a+])*", "\\(a+\\)+", "(a+)?", "(?:ab)*c+",
        "^\\d{4,}$",
    ])
    func harmlessRepetitionIsTaken(_ source: String) throws {
        #expect(try TextPattern(source).source == source)
    }

    @Test func brokenPatternIsRefused() {
        #expect(throws: TextPattern.Fault.syntax) { try TextPattern("[a") }
    }
}
