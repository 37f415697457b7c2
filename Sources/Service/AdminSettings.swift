/// Where `AdminServer` listens.
public struct AdminSettings: Sendable, Hashable {
    public var host: String
    public var port: Int
}
