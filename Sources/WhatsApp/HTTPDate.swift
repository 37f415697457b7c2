import EventLog

/// `Sun, 06 Nov 1994 08:49:37 GMT`: a date as HTTP headers have it (RFC 9110, 5.6.7). The two forms that nobody may send
/// any more are not read.
public enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    public static func parse(_ text: String) -> Timestamp? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0].hasSuffix(","), words[5] == "GMT", words[1].utf8.count == 2,
            words[3].utf8.count == 4, let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return RFC3339.parse("\(words[3])-\(number)-\(words[1])T\(words[4])Z")
    }
}
