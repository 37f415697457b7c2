import D360
import HTTPTesting
import Testing

@Suite struct APIKeyTests {
    @Test func directoryHoldsOneKeyForEachChannel() throws {
        let files = ["main": " secret-1\n", "shop": "secret-2", "..data": "x", ".hidden": "", "main~": "old one", "4913": ""]
        // `backup` is a directory: it cannot be read.
        let names = Array(files.keys).sorted() + ["backup"]
        let (keys, strays) = try APIKey.keys(named: names, of: ["main", "shop", "other"]) { files[$0].map { Array($0.utf8) } }
        #expect(Set(keys.keys) == ["main", "shop"], "what is no channel's does not stop the others")
        #expect(strays == ["4913", "main~", "backup"])
    }

    @Test(arguments: ["", "  \n", "two keys", "kéy", "a\u{1}b"]) func fileWithoutOneKeyIsNamedAndNotQuoted(text: String) {
        let error = #expect(throws: APIKeyError.self) {
            _ = try APIKey.keys(named: ["main"], of: ["main"]) { _ in Array(text.utf8) }
        }
        #expect(error?.description == "the API key file \"main\" does not hold one key")
        #expect(throws: APIKeyError.self) { _ = try APIKey.keys(named: ["main"], of: ["main"]) { _ in nil } }
    }

    @Test func keyShowsItselfToNobody() {
        let key = APIKey("secret-key-4711")
        var dumped = ""
        dump(["k": key], to: &dumped)
        #expect(!"\(key) \(String(reflecting: key)) \(dumped)".contains("4711"))
    }
}
