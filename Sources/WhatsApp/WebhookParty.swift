/// The members of a message or status that say who and when; each the last of its name.
struct WebhookParty {
    var id: Int?
    var timestamp: Int?
    var status: Int?
    var type: Int?
    var callbackData: Int?
    /// Phone number, or whatever stands there, without decoration.
    private(set) var phone: ArraySlice<UInt8>?
    private(set) var userID: ArraySlice<UInt8>?
    private(set) var parentUserID: ArraySlice<UInt8>?
    private(set) var group: ArraySlice<UInt8>?
    /// Of a group's status: whom it concerns.
    private(set) var participant: ArraySlice<UInt8>?

    init(_ text: JSONText, message: Int) {
        var from: Int?
        var fromUserID: Int?
        var fromParentUserID: Int?
        var groupID: Int?
        text.forEachMember(of: message) { name, value in
            if text.equals(name, "from") {
                from = value
            } else if text.equals(name, "id") {
                id = value
            } else if text.equals(name, "timestamp") {
                timestamp = value
            } else if text.equals(name, "from_user_id") {
                fromUserID = value
            } else if text.equals(name, "from_parent_user_id") {
                fromParentUserID = value
            } else if text.equals(name, "group_id") {
                groupID = value
            }
        }
        let limit = WebhookSplitter.maxUserBytes
        phone = text.idText(from, maxBytes: limit).flatMap(ConversationKey.user)
        userID = text.idText(fromUserID, maxBytes: limit)
        parentUserID = text.idText(fromParentUserID, maxBytes: limit)
        group = text.idText(groupID, maxBytes: limit)
    }

    init(_ text: JSONText, status item: Int) {
        var recipient = Recipient()
        var recipientType: Int?
        text.forEachMember(of: item) { name, value in
            if text.equals(name, "id") {
                id = value
            } else if text.equals(name, "status") {
                status = value
            } else if text.equals(name, "timestamp") {
                timestamp = value
            } else if text.equals(name, "type") {
                type = value
            } else if text.equals(name, "recipient_type") {
                recipientType = value
            } else if text.equals(name, "biz_opaque_callback_data") {
                callbackData = value
            } else {
                recipient.take(text, name, value)
            }
        }
        let limit = WebhookSplitter.maxUserBytes
        let recipientID = text.idText(recipient.id, maxBytes: limit)
        if text.isString(recipientType, "group") {
            group = recipientID
        } else {
            phone = recipientID.flatMap(ConversationKey.user)
        }
        userID = text.idText(recipient.userID, maxBytes: limit)
        parentUserID = text.idText(recipient.parentUserID, maxBytes: limit)
        participant = recipient.participants.lazy.compactMap { text.idText($0, maxBytes: limit) }.first
    }

    /// The many spellings of a status's recipient.
    private struct Recipient {
        var id: Int?
        var userID: Int?
        var parentUserID: Int?
        /// In the order in which the first one counts.
        var participants: [Int?] = []

        private static let participantNames: [StaticString] = [
            "recipient_participant_id", "participant_recipient_id", "recipient_participant_user_id",
            "recipient_participant_parent_user_id",
        ]

        mutating func take(_ text: JSONText, _ name: JSONToken, _ value: Int) {
            if text.equals(name, "recipient_id") {
                id = value
            } else if text.equals(name, "recipient_user_id") {
                userID = value
            } else if text.equals(name, "recipient_parent_user_id") {
                parentUserID = value
            } else if let place = Self.participantNames.firstIndex(where: { text.equals(name, $0) }) {
                if participants.isEmpty { participants = Array(repeating: nil, count: Self.participantNames.count) }
                participants[place] = value
            }
        }
    }
}
