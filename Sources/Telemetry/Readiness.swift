/// Whether a part of a program can do its work now.
public enum Readiness: Sendable, Hashable {
    case ready
    /// Why not, in a word or two of a closed set: it is shown to whoever asks `/readyz`.
    case notReady(String)

    public var isReady: Bool { self == .ready }
    public var word: String {
        switch self {
        case .ready: "ready"
        case .notReady(let reason): reason
        }
    }
}
