import CCurl

/// The header fields of a request, checked once and in libcurl's own form, so that requests that share them share that,
/// too.
///
/// `@unchecked Sendable`: the list is made in `init`, freed in `deinit` and changed nowhere in between; libcurl only
/// reads it, on the thread of a `CurlMulti`, while the request that is under way holds this object.
///
/// Its description shows nothing: fields carry keys.
public final class HTTPHeaders: @unchecked Sendable, ExpressibleByArrayLiteral, CustomStringConvertible, CustomReflectable {
    /// What is wrong with them; nil when nothing in them can break out of its line.
    let fault: String?
    let list: UnsafeMutablePointer<curl_slist>?

    public init(_ fields: [HTTPField]) {
        fault = Self.fault(of: fields)
        list = fault == nil ? Self.list(of: fields) : nil
    }

    public convenience init(arrayLiteral fields: HTTPField...) { self.init(fields) }

    deinit { curl_slist_free_all(list) }

    public var description: String { "HTTPHeaders(…)" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    private static func fault(of fields: [HTTPField]) -> String? {
        for field in fields {
            if field.name.isEmpty || !field.name.utf8.allSatisfy(HTTPRequest.isToken) { return "header name is not a token" }
            if !field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) {
                return "header value holds control characters"
            }
        }
        return nil
    }

    private static func list(of fields: [HTTPField]) -> UnsafeMutablePointer<curl_slist>? {
        // libcurl would wait up to a second for "100 Continue" before a large body.
        var lines = ["Expect:"]
        if !fields.contains(where: { $0.name.lowercased() == "content-type" }) {
            lines.append("Content-Type:")  // otherwise libcurl claims that the body is a form
        }
        for field in fields {
            // "Name:" would remove a header; "Name;" is libcurl's way to send an empty one.
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            guard let longer = curl_slist_append(list, line) else { preconditionFailure("libcurl is out of memory") }
            list = longer
        }
        return list
    }
}
