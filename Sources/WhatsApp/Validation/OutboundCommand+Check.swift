import EventLog

extension OutboundCommand {
    /// Checks what the platform is known to refuse, before anything is sent. Throws the first rule broken.
    ///
    /// Whoever makes commands can ask early; the sender asks again, because not everybody does.
    public func check(for hosting: Hosting) throws(MessageFault) {
        try checkRecipient(hosting)
        do throws(MessageFault) {
            try isMark ? Self.checkMark(message, hosting) : MessageRules.check(message, hosting: hosting)
        } catch { throw error.inside("message") }
        if let fallback {
            do throws(MessageFault) { try MessageRules.check(fallback, hosting: hosting) } catch {
                throw error.inside("fallback")
            }
        }
        guard expiresAt <= requestedAt + Self.maxLifetime else {
            throw MessageFault("expires_at", "must be at most \(Self.maxLifetime.milliseconds / 86_400_000) days ahead")
        }
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
        let typing = MessageRule.object([.required("type", .someText)])
        let conditions: [MessageRule.Condition] = hosting == .onPremise ? [.without("typing_indicator")] : []
        try MessageRule.object(
            [.required("message_id", .someText), .optional("typing_indicator", typing)], conditions
        ).check(mark)
    }
}
