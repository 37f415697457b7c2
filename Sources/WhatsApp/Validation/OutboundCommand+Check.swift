import EventLog

extension OutboundCommand {
    /// Checks what the platform is known to refuse, before anything is sent. Throws the first rule broken.
    ///
    /// Whoever makes commands can ask early; the sender asks again, because not everybody does.
    public func check(for hosting: Hosting) throws(MessageFault) {
        try checkRecipient(hosting)
        do throws(MessageFault) { try Self.check(message: message, for: hosting) } catch { throw error.inside("message") }
        if let fallback {
            guard fallback["type"]?.string == "template" else { throw MessageFault("fallback.type", "must be template") }
            do throws(MessageFault) { try Self.check(message: fallback, for: hosting) } catch { throw error.inside("fallback") }
        }
        if route == .marketingMessages, hosting == .onPremise || purpose != .marketing || messageType != "template" {
            throw MessageFault("route", "must be messages for all but marketing templates on the cloud")
        }
        guard expiresAt <= requestedAt + Self.maxLifetime else {
            throw MessageFault("expires_at", "must be at most \(Self.maxLifetime.milliseconds / 86_400_000) days ahead")
        }
    }

    /// The same for a message alone, as the member `message` of a command has it.
    public static func check(message: JSON, for hosting: Hosting) throws(MessageFault) {
        if let reserved = reservedMember(of: message) { throw MessageFault(reserved, "must not be there") }
        if isMark(message) { return try checkMark(message, hosting) }
        try MessageRule.object([.required("type", .someText)]).check(message)
        guard let content = message[message["type"]?.string ?? ""], !content.isNull else {
            throw MessageFault("", "must have the member that its type names")
        }
        try MessageRules.check(message, hosting: hosting)
    }

    private func checkRecipient(_ hosting: Hosting) throws(MessageFault) {
        guard case .userID = recipient else { return }
        if hosting == .onPremise { throw MessageFault("recipient", "must be a phone number or group on-premise") }
        // One-time-code templates need a phone number (Meta: business-scoped user ids).
        if purpose == .authentication, [message, fallback].contains(where: { $0?["type"]?.string == "template" }) {
            throw MessageFault("recipient", "must be a phone number for an authentication template")
        }
    }

    private static func checkMark(_ mark: JSON, _ hosting: Hosting) throws(MessageFault) {
        let typing = MessageRule.object([.required("type", .word("text"))])
        let conditions: [MessageRule.Condition] = hosting == .onPremise ? [.without("typing_indicator")] : []
        try MessageRule.object(
            [.required("message_id", .someText), .optional("typing_indicator", typing)], conditions
        ).check(mark)
    }
}
