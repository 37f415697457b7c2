/// The members of a message or status that say who and when; each the last of its name.
struct WebhookParty {
    var id: Int?
    var timestamp: Int?
    var status: Int?
    var type: Int?
    var callbackData: Int?
    /// Phone number, or whatever stands there, without decoration.
    private(set) var phone: BorrowedBytes?
    private(set) var userID: BorrowedBytes?
    private(set) var parentUserID: BorrowedBytes?
    private(set) var group: BorrowedBytes?
    /// Of a group's status: whom it concerns.
    private(set) var participant: BorrowedBytes?
    private(set) var participantMember: Int?

    init(_ text: WebhookText, message: Int) {
        var from: Int?
        var fromUserID: Int?
        var fromParentUserID: Int?
        var groupID: Int?
        text.forEachMember(of: message) { name, value in
            switch name {
            case "from": from = value
            case "id": id = value
            case "timestamp": timestamp = value
            case "from_user_id": fromUserID = value
            case "from_parent_user_id": fromParentUserID = value
            case "group_id": groupID = value
            default: break
            }
        }
        let limit = WebhookSplitter.maxUserBytes
        phone = text.user(from, maxBytes: limit)
        userID = text.idText(fromUserID, maxBytes: limit)
        parentUserID = text.idText(fromParentUserID, maxBytes: limit)
        group = text.idText(groupID, maxBytes: limit)
    }

    init(_ text: WebhookText, status item: Int) {
        var recipient = Recipient()
        var recipientType: Int?
        text.forEachMember(of: item) { name, value in
            switch name {
            case "id": id = value
            case "status": status = value
            case "timestamp": timestamp = value
            case "type": type = value
            case "recipient_type": recipientType = value
            case "biz_opaque_callback_data": callbackData = value
            default: recipient.take(name, value)
            }
        }
        let limit = WebhookSplitter.maxUserBytes
        if text.isString(recipientType, "group") {
            group = text.idText(recipient.id, maxBytes: limit)
        } else {
            phone = text.user(recipient.id, maxBytes: limit)
        }
        userID = text.idText(recipient.userID, maxBytes: limit)
        parentUserID = text.idText(recipient.parentUserID, maxBytes: limit)
        _ = takeParticipant(recipient.participant, text, limit) || takeParticipant(recipient.participantOtherwise, text, limit)
            || takeParticipant(recipient.participantUserID, text, limit)
            || takeParticipant(recipient.participantParentUserID, text, limit)
    }

    private mutating func takeParticipant(_ member: Int?, _ text: WebhookText, _ limit: Int) -> Bool {
        guard let member, let id = text.idText(member, maxBytes: limit) else { return false }
        (participant, participantMember) = (id, member)
        return true
    }

    /// The many spellings of a status's recipient.
    private struct Recipient {
        var id: Int?
        var userID: Int?
        var parentUserID: Int?
        // Of a group's participant the first that is there counts.
        var participant: Int?
        var participantOtherwise: Int?
        var participantUserID: Int?
        var participantParentUserID: Int?

        @inline(__always)
        mutating func take(_ name: WebhookText.MemberName, _ value: Int) {
            switch name {
            case "recipient_id": id = value
            case "recipient_user_id": userID = value
            case "recipient_parent_user_id": parentUserID = value
            case "recipient_participant_id": participant = value
            case "participant_recipient_id": participantOtherwise = value
            case "recipient_participant_user_id": participantUserID = value
            case "recipient_participant_parent_user_id": participantParentUserID = value
            default: break
            }
        }
    }
}
