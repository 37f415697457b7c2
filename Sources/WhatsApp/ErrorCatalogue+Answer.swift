/// What a failed answer says, whichever of the four shapes it has.
struct ErrorAnswer {
    /// The platform's codes, in order, at most `maxCodes`. 360dialog's own shapes have none: the number in their `meta`
    /// is an HTTP status, and not always the right one.
    private(set) var codes: [Int64] = []
    /// 360dialog's text, which is all that tells its errors apart.
    private(set) var text: String?
    /// The platform's explanation, safe to keep.
    private(set) var detail: String?

    /// Nil for a body without an error in one of the known shapes:
    ///
    /// | from | shape |
    /// |---|---|
    /// | the platform, cloud | `{"error":{"message","code","error_data":{"details"} or text}}` |
    /// | the platform, on-premise | `{"errors":[{"code","title","details"}],"meta":{…}}` |
    /// | 360dialog, old | `{"meta":{"httpCode" or "http_code","developerMessage" or "developer_message"}}` |
    /// | 360dialog, new | `{"error":"text"}` |
    init?(_ body: [UInt8]) {
        guard let json = try? JSON(parsing: body), json.kind == .object else { return nil }
        if let error = json["error"], error.kind == .object {
            codes = [Self.code(error["code"])].compactMap(\.self)
            let data = error["error_data"]
            detail = Self.safe(data?["details"]?.string ?? data?.string ?? error["message"]?.string)
            text = error["message"]?.string
        } else if let errors = json["errors"]?.elements.prefix(Self.maxCodes), let first = errors.first {
            codes = errors.compactMap { Self.code($0["code"]) }
            text = first["details"]?.string ?? first["title"]?.string
            detail = Self.safe(text)
        } else if let flat = json["error"]?.string {
            text = flat
            detail = Self.safe(flat)
        } else if let meta = json["meta"],
            let message = meta["developerMessage"]?.string ?? meta["developer_message"]?.string
        {
            text = message
            detail = Self.safe(message)
        }
        if codes.isEmpty && text == nil && detail == nil { return nil }
    }

    /// Nobody has met more than one; a hostile list of them is not read to its end.
    private static let maxCodes = 8

    /// Codes have been met as text, too.
    private static func code(_ value: JSON?) -> Int64? { value?.integer ?? value?.string.flatMap { Int64($0) } }

    /// At most 256 characters, and no run of six or more digits: it may be somebody's number.
    static func safe(_ text: String?) -> String? {
        guard let text else { return nil }
        var safe = ""
        var digits = ""
        func flush() {
            safe += digits.count >= 6 ? "…" : digits
            digits = ""
        }
        for character in text.prefix(256) {
            if character.isNumber {
                digits.append(character)
            } else {
                flush()
                safe.append(character)
            }
        }
        flush()
        return safe
    }
}
