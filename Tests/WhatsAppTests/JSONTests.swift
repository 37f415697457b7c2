import Foundation
import Testing

@testable import WhatsApp

@Suite struct JSONTests {
    private static func parse(_ text: String) throws(JSONError) -> JSON { try JSON(parsing: Array(text.utf8)) }

    // MARK: What is JSON (RFC 8259)

    @Test(arguments: [
        "{}", "[]", "null", "true", "false", "0", "-0", "1", "\"\"", " \t\r\n[ ] ", "[1,2]", "[[],{},[{}]]",
        #"{"a":1,"a":2}"#, #"{"":0}"#, "0.5", "-12.25e-3", "1E5", "1e+5", "1e400", "123456789012345678901234567890",
        #""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#, #""\ud800""#, #""\udc00\ud800""#, #""\u0000""#, "\"\u{7F}\"",
        "\"\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}\"", "\u{FEFF}{}",
    ])
    func accepts(_ text: String) throws {
        _ = try Self.parse(text)
    }

    @Test(arguments: [
        "", " ", "\u{FEFF}", "{", "}", "[", "]", "[1", "[1,", "[,]", "[1,]", "[1 2]", "[1}", "{]", "{1:2}", "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}", "{\"a\" 1}", "{,}", "{a:1}", "{'a':1}", "nul", "nulll", "True", "tru", "NaN", "Infinity",
        "-Infinity",
        "00", "01", "-", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1_000", "\"", "\"a", "\"\\\"",
        "\"\\x\"", "\"\\u12\"",
        "\"\\u12G4\"", "\"\\", "\"a\nb\"", "\"a\u{0}b\"", "\"a\u{1F}\"", "{} {}", "{},", "[]//", "/**/[]", "\u{A0}[]",
        "[]\u{FEFF}",
        "\u{FEFF}\u{FEFF}[]",
    ])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try Self.parse(text) }
    }

    /// The bounds of RFC 3629 section 4 from both sides.
    @Test(
        arguments: [
            ([0xC2, 0x80], true), ([0xC1, 0xBF], false), ([0xDF, 0xBF], true), ([0xC2], false), ([0xC2, 0x41], false),
            ([0x80], false),
            ([0xE0, 0xA0, 0x80], true), ([0xE0, 0x9F, 0xBF], false), ([0xED, 0x9F, 0xBF], true),
            ([0xED, 0xA0, 0x80], false),
            ([0xEE, 0x80, 0x80], true), ([0xE1, 0x80], false), ([0xE1, 0x80, 0x41], false),
            ([0xF0, 0x90, 0x80, 0x80], true),
            ([0xF0, 0x8F, 0xBF, 0xBF], false), ([0xF4, 0x8F, 0xBF, 0xBF], true), ([0xF4, 0x90, 0x80, 0x80], false),
            ([0xF5, 0x80, 0x80, 0x80], false), ([0xF1, 0x80, 0x80], false), ([0xF1, 0x80, 0x80, 0x41], false),
            ([0xFF], false),
        ] as [([UInt8], Bool)])
    func takesOnlyShortestUTF8(_ character: [UInt8], _ isValid: Bool) {
        // At every distance from the quote, so that both the long and the short steps of the scanner meet it.
        for distance in 0..<18 {
            let text = [0x22] + Array(repeating: 0x61, count: distance) + character + Array("b\"".utf8)
            #expect(((try? JSON(parsing: text)) != nil) == isValid)
            #expect((String(validating: text, as: UTF8.self) != nil) == isValid)
        }
    }

    @Test func everyByteInAStringIsJudgedAlikeAtEveryPlace() {
        for byte in UInt8.min...UInt8.max {
            let isPlain = byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C
            for distance in 0..<18 {
                let text =
                    [0x22] + Array(repeating: 0x7A, count: distance) + [byte] + Array("zzzzzzzzzzzzzzzzzz\"".utf8)
                let isWhole = (try? JSON(parsing: text)) != nil
                #expect(isWhole == isPlain, "byte \(byte) at \(distance)")
            }
        }
    }

    @Test func everyByteIsWrittenSoThatItReadsTheSameAtEveryPlace() throws {
        for byte in UInt8.min..<0x80 {
            for distance in 0..<18 {
                let text = Array(repeating: UInt8(ascii: "z"), count: distance) + [byte] + Array("zzzzzzzzz".utf8)
                let written = ByteArena.scoped { arena in
                    let kept = arena.keep(text)
                    return [UInt8](arena.write(limit: 6 * text.count + 2) { JSONWriter.append(kept, to: &$0) })
                }
                #expect(try JSON(parsing: written).string == String(decoding: text, as: UTF8.self), "\(byte) at \(distance)")
            }
        }
    }

    @Test func digitsAreThoseOfTheNumber() {
        var random = SystemRandomNumberGenerator()
        let numbers: [UInt32] = [0, 1, 9, 10, 15, 16, 0x0123_4567, 0x89AB_CDEF, .max] + (0..<200).map { _ in random.next() }
        for number in numbers {
            let text = withUnsafeBytes(of: HexDigits.text(number).littleEndian) { String(decoding: $0, as: UTF8.self) }
            let digits = String(number, radix: 16)
            #expect(text == String(repeating: "0", count: 8 - digits.count) + digits)
        }
    }

    @Test func saysWhereAndWhy() {
        func error(_ text: String) -> JSONError? {
            do {
                _ = try Self.parse(text)
                return nil
            } catch { return error }
        }
        #expect(error("") == JSONError(.empty, at: 0))
        #expect(error("[1,2") == JSONError(.truncated, at: 4))
        #expect(error("[1 2]") == JSONError(.unexpectedByte, at: 3))
        #expect(error("{} x") == JSONError(.trailingBytes, at: 3))
        #expect(error("[01]") == JSONError(.invalidNumber, at: 1))
        #expect(error("\"a\u{1}\"") == JSONError(.controlCharacter, at: 2))
        #expect(error("\"\\q\"") == JSONError(.invalidEscape, at: 2))
    }

    // MARK: Depth

    @Test(arguments: [1, 63, 64, 65, 96, 127, 128])
    func takesAsManyLevelsAsAllowedAndNotOneMore(_ maxDepth: Int) throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSON(parsing: nested(maxDepth), maxDepth: maxDepth)
        #expect(throws: JSONError(.tooDeep, at: maxDepth)) {
            try JSON(parsing: nested(maxDepth + 1), maxDepth: maxDepth)
        }
        #expect(throws: JSONError(.tooDeep, at: maxDepth)) { try JSON(parsing: nested(100_000), maxDepth: maxDepth) }
    }

    @Test func knowsAtEveryDepthWhatIsOpen() throws {
        // Arrays and objects by turns, each with something after what it holds.
        func text(_ closings: [String]) -> String {
            (0..<96).map { $0 % 3 == 0 ? "[1," : "{\"k\":" }.joined() + "0" + closings.joined()
        }
        let closings = (0..<96).reversed().map { $0 % 3 == 0 ? ",1]" : ",\"z\":null}" }
        _ = try Self.parse(text(closings))
        for depth in closings.indices {
            var wrong = closings
            wrong[depth] = wrong[depth].hasSuffix("]") ? ",1}" : ",\"z\":null]"
            #expect(throws: JSONError.self) { try Self.parse(text(wrong)) }
        }
    }

    @Test func tokensGrowWithTheTextAndNotFaster() throws {
        // Work is one step per byte and one entry per value or name; the entries are countable.
        for count in [10, 1_000, 100_000] {
            let text = Array(("[" + String(repeating: "1,", count: count - 1) + "1]").utf8)
            #expect(try JSONText(text, maxDepth: 64).tokens.count == count + 1)
        }
    }

    // MARK: Reading

    @Test func findsMembersAndElements() throws {
        let json = try Self.parse(#" {"a":[1,{"b":"x\n\u00e9"},[],{},-0.5e3],"n":null,"k\u0061":true,"é":"😀","":0} "#)
        #expect(json.kind == .object)
        #expect(json["a"]?.elements.map(\.kind) == [.number, .object, .array, .object, .number])
        #expect(json["a"]?.elements[1]["b"]?.string == "x\né")
        #expect(
            json["n"]?.isNull == true && json["ka"]?.bool == true && json["é"]?.string == "😀" && json[""]?.integer == 0)
        #expect(json["b"] == nil && json["a"]?["b"] == nil && json["n"]?.elements.isEmpty == true)
        var names: [String] = []
        json.forEachMember { name, _ in names.append(name) }
        #expect(names == ["a", "n", "ka", "é", ""])
    }

    @Test func lastOfEqualNamesWins() throws {
        let json = try Self.parse(#"{"id":1,"\u0069d":2,"id":3,"Id":4}"#)
        #expect(json["id"]?.integer == 3)
        #expect(try Self.parse(#"{"id":1,"\u0069d":2}"#)["id"]?.integer == 2)
    }

    @Test func keepsBytesVerbatim() throws {
        let json = try Self.parse(#"{ "x" : { "p":1.50 ,"q":"\/\u00E9" } , "y":[ 1 ,2 ]}"#)
        #expect(String(decoding: json["x"]?.bytes ?? [], as: UTF8.self) == #"{ "p":1.50 ,"q":"\/\u00E9" }"#)
        #expect(String(decoding: json["x"]?["p"]?.bytes ?? [], as: UTF8.self) == "1.50")
        #expect(String(decoding: json["y"]?.bytes ?? [], as: UTF8.self) == "[ 1 ,2 ]")
    }

    @Test(arguments: [
        (#""\u0000""#, "\u{0}"), (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"),
        (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
        (#""\ud83dx\ude00""#, "\u{FFFD}x\u{FFFD}"), (#""\ud83d\n""#, "\u{FFFD}\n"),
        (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"),
        (#""\b\f\n\r\t\/\\\"""#, "\u{8}\u{C}\n\r\t/\\\""), (#""é\u00c9é""#, "éÉé"),
    ])
    func resolvesEscapes(_ text: String, _ expected: String) throws {
        #expect(try Self.parse(text).string?.unicodeScalars.elementsEqual(expected.unicodeScalars) == true)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil),
            ("1.0", nil), ("1e3", nil), ("\"1\"", nil), ("true", nil), ("123456789012345678901234567890", nil),
        ] as [(String, Int64?)])
    func readsWholeNumbersThatFit(_ text: String, _ expected: Int64?) throws {
        #expect(try Self.parse(text).integer == expected)
    }

    // MARK: Writing

    @Test func writesWhatItReads() throws {
        let hostile = "\u{0}\u{1F} \"\\/ é😀\u{2028}\n\r\t\u{8}"
        let bytes = JSONWriter.object { value in
            value.member("text", hostile)
            value.member(hostile, "name")
            value.object("empty") { _ in }
            value.array("list") { list in
                list.element("a")
                list.element(-7)
                list.objectElement { $0.member("b", true) }
                list.rawElement(ArraySlice("[ 1.50 ]".utf8))
            }
            value.memberOrNull("null", nil)
            value.memberIfPresent("absent", nil as String?)
            value.memberIfPresent("absent", nil as Int64?)
            value.memberIfPresent("present", 5)
            value.rawMember("raw", Array("{ }".utf8))
        }
        let json = try JSON(parsing: bytes)
        #expect(json["text"]?.string?.unicodeScalars.elementsEqual(hostile.unicodeScalars) == true)
        #expect(json[hostile]?.string == "name")
        #expect(
            String(decoding: bytes, as: UTF8.self).hasSuffix(
                #""empty":{},"list":["a",-7,{"b":true},[ 1.50 ]],"null":null,"present":5,"raw":{ }}"#))
        let foreign = try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(foreign["text"] as? String == hostile)
        #expect(JSONWriter.array { $0.element(1) } == Array("[1]".utf8))
    }
}
