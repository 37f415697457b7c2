import WhatsApp

/// Calls of 360dialog's messaging API.
public struct D360Client: Sendable {
    private let transport: HTTPTransport

    public init(transport: HTTPTransport) { self.transport = transport }

    /// Makes one attempt to send the command's message; the outcome says whether another one is safe.
    ///
    /// | hosting | call |
    /// |---|---|
    /// | cloud | `POST {base}/messages` |
    /// | cloud, a marketing template | `POST {base}/marketing_messages`, see `ChannelEndpoint` |
    /// | on-premise | `POST {base}/v1/messages` |
    public func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome {
        let request = HTTPRequest(
            method: "POST", url: endpoint.baseURL + Self.path(command, endpoint),
            headers: [
                HTTPField("D360-API-KEY", endpoint.apiKey.value), HTTPField("Content-Type", "application/json"),
                HTTPField("Accept", "application/json"),
            ],
            body: command.body(for: endpoint.hosting))
        do throws(TransportError) {
            return Self.outcome(try await transport.perform(request), endpoint.hosting)
        } catch {
            guard error.delivery == .unknown else { return .notSent(error) }
            switch error.code {
            case .timeout: return .unknown(.timeout)
            case .cut: return .unknown(.cut)
            default: return .unknown(.unread)
            }
        }
    }

    private static func path(_ command: OutboundCommand, _ endpoint: ChannelEndpoint) -> String {
        guard endpoint.hosting == .cloud else { return "/v1/messages" }
        let isMarketingTemplate = command.purpose == .marketing && command.messageType == "template"
        return isMarketingTemplate && endpoint.usesMarketingMessages ? "/marketing_messages" : "/messages"
    }

    private static func outcome(_ response: HTTPResponse, _ hosting: Hosting) -> SendOutcome {
        let isSuccess = (200...299).contains(response.status)
        if isSuccess, let receipt = SendReceipt(response.body) { return .accepted(receipt) }
        let error = ErrorCatalogue.classify(
            httpStatus: response.status, body: response.body, hosting: hosting,
            retryAfter: response.header("Retry-After"))
        // Success without a message id, unless the body brings an error that the platform names by its code.
        if isSuccess, error.code == nil { return .unknown(.noMessageID) }
        return error.errorClass.isRetriable ? .retry(error) : .rejected(error)
    }
}
