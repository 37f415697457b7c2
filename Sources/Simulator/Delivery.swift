import EventLog

/// One event on its way to a webhook: a customer's message or a status of a message the business sent.
struct Delivery: Sendable {
    enum Event: Sendable {
        /// A customer's message, by its id.
        case message(String)
        /// A status, and those that follow it.
        case status(StatusPlan)
    }

    let event: Event
    /// Index of the business number whose webhook it goes to.
    let number: Int
    let body: [UInt8]
    let created: Timestamp
    var attempts = 0

    init(_ event: Event, number: Int, body: [UInt8], created: Timestamp) {
        self.event = event
        self.number = number
        self.body = body
        self.created = created
    }
}

/// The statuses an accepted message still gets, in order.
struct StatusPlan: Sendable {
    struct Step: Sendable, Hashable {
        let status: String
        /// Counted from the step before.
        let delay: Duration
    }

    let message: SentMessage
    /// Never empty.
    let steps: ArraySlice<Step>

    init?(_ message: SentMessage, _ steps: ArraySlice<Step>) {
        guard !steps.isEmpty else { return nil }
        self.message = message
        self.steps = steps
    }

    var next: StatusPlan? { StatusPlan(message, steps.dropFirst()) }
}

/// What statuses have to tell of an accepted message.
struct SentMessage: Sendable {
    enum Recipient: Sendable, Hashable {
        case phone(String)
        case userID(String)
        case group(String)
    }

    let id: String
    let recipient: Recipient
    /// The caller's `biz_opaque_callback_data`.
    let tag: String?
    let isTemplate: Bool
}
