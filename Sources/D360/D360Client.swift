import WhatsApp

/// Calls of 360dialog's messaging API.
public struct D360Client: Sendable {
    private let transport: HTTPTransport

    public init(transport: HTTPTransport) { self.transport = transport }

    /// Makes one attempt to carry the command out (see `OutboundCommand.call`); the outcome says whether another one is
    /// safe.
    public func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome {
        let call = command.call(for: endpoint.hosting, marketingMessages: endpoint.usesMarketingMessages)
        let request = HTTPRequest(
            method: call.method, url: endpoint.baseURL + call.path, headers: endpoint.headers, body: call.body)
        do throws(TransportError) {
            return Self.outcome(try await transport.perform(request), of: command, endpoint.hosting)
        } catch {
            guard error.delivery == .unknown else { return .notSent(error) }
            switch error.code {
            case .timeout: return .unknown(.timeout)
            case .cut: return .unknown(.cut)
            default: return .unknown(.unread)
            }
        }
    }

    private static func outcome(
        _ response: HTTPResponse, of command: OutboundCommand, _ hosting: Hosting
    ) -> SendOutcome {
        let isSuccess = (200...299).contains(response.status)
        if isSuccess, let receipt = SendReceipt(response.body, of: command) { return .accepted(receipt) }
        let error = ErrorCatalogue.classify(
            httpStatus: response.status, body: response.body, hosting: hosting,
            retryAfter: response.header("Retry-After"), now: response.header("Date").flatMap(HTTPDate.parse) ?? .now)
        // Success without a message id, unless the body brings an error that the platform names by its code.
        if isSuccess, error.code == nil { return .unknown(.noMessageID) }
        return error.errorClass.isRetriable ? .retry(error) : .rejected(error)
    }
}
