/// `ce_type` of what the pipeline writes. The version at the end changes when a consumer would have to.
public enum EventType: String, Sendable, Hashable, CaseIterable {
    case messageReceived = "io.360dialog.whatsapp.message.received.v1"
    case statusUpdated = "io.360dialog.whatsapp.status.updated.v1"
    case errorRaised = "io.360dialog.whatsapp.error.raised.v1"
    /// A whole webhook body, on the raw topic.
    case deliveryReceived = "io.360dialog.whatsapp.delivery.received.v1"
    case otherReceived = "io.360dialog.whatsapp.other.received.v1"
    case outboundRequested = "io.360dialog.whatsapp.outbound.requested.v1"
    case outboundResulted = "io.360dialog.whatsapp.outbound.resulted.v1"
    case consentChanged = "io.360dialog.whatsapp.consent.changed.v1"
    case sendLimitLearned = "io.360dialog.whatsapp.send-limit.learned.v1"
    case messageStateChanged = "io.360dialog.whatsapp.message-state.changed.v1"
    case analyticsUpdated = "io.360dialog.whatsapp.analytics.updated.v1"
}
