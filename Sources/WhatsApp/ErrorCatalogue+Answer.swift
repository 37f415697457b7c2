/// What a failed answer says, whichever of the four shapes it has.
struct ErrorAnswer {
    /// The platform's code. 360dialog's own shapes have none: the number in their `meta` is an HTTP status, and not
    /// always the right one.
    private(set) var code: Int64?
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
            code = Self.code(error["code"])
            let data = error["error_data"]
            detail = Self.safe(data?["details"]?.string ?? data?.string ?? error["message"]?.string)
            if code == nil { text = error["message"]?.string }
        } else if let error = json["errors"]?.elements.first, error.kind == .object {
            code = Self.code(error["code"])
            detail = Self.safe(error["details"]?.string ?? error["title"]?.string)
        } else if let flat = json["error"]?.string {
            text = flat
            detail = Self.safe(flat)
        } else if let meta = json["meta"],
            let message = meta["developerMessage"]?.string ?? meta["developer_message"]?.string
        {
            text = message
            detail = Self.safe(message)
        }
        if code == nil && text == nil && detail == nil { return nil }
    }

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
