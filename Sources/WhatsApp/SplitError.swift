/// Why a webhook body gives no records: the only two faults of a body as a whole. Everything else is stored.
public enum SplitError: Error, Sendable, Hashable, CustomStringConvertible {
    case invalidJSON(JSONError)
    /// Valid JSON, but no object at the top.
    case notAnObject

    /// One word of a closed set, for error answers and metric labels.
    public var code: String {
        switch self {
        case .invalidJSON: "invalid_json"
        case .notAnObject: "not_an_object"
        }
    }

    /// Safe to log and to answer: names a place in the body, never what stands there.
    public var description: String {
        switch self {
        case .invalidJSON(let error): error.description
        case .notAnObject: "the body is not a JSON object"
        }
    }
}
