import EventLog

/// A message from the business as its customer sees it: element of `GET /simulator/customers/{phone}/messages`.
public struct ReceivedMessage: Sendable, Codable, Hashable {
    public var id: String
    public var type: String
    /// Text, caption or body of an interactive message.
    public var text: String?
    /// Id of the customer's message it quotes.
    public var quotes: String?
    /// Buttons and list rows that can be tapped.
    public var choices: [Choice]
    /// When it was accepted, in milliseconds since 1970.
    public var acceptedAt: Int64

    public struct Choice: Sendable, Codable, Hashable {
        public var id: String
        public var title: String
        /// From a list, else a button.
        public var isRow: Bool
    }
}
