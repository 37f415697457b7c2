import NIOCore
import WhatsApp

/// A webhook's body while it arrives. Its bytes are reserved in the in-flight budget; who drops it must release them.
struct Delivery {
    let route: Route
    let traceparent: String?
    private(set) var body: [UInt8] = []
    private(set) var reserved: Int

    /// Admits a request or names the answer to refuse it with. Nothing of the body is read before this.
    static func admit(_ head: RequestHead, _ core: IngressCore) -> Result<Delivery, Answer> {
        if head.framing == .invalid { return .failure(.malformedRequest) }
        return core.router.route(head).flatMap { route in
            if head.expectation == .unknown { return .failure(.expectationFailed) }
            if head.hasContentEncoding { return .failure(.unsupportedEncoding) }
            switch head.framing {
            case .invalid: return .failure(.malformedRequest)
            case .unsupported: return .failure(.unsupportedTransferCoding)
            case .absent: return .failure(.lengthRequired)
            case .chunked: return .success(Delivery(route, head, expecting: 0))
            case .length(let length):
                if length > core.configuration.maxBodyBytes { return .failure(.bodyTooLarge) }
                guard core.budget.reserve(length) else { return .failure(.overloaded) }
                return .success(Delivery(route, head, expecting: length))
            }
        }
    }

    private init(_ route: Route, _ head: RequestHead, expecting length: Int) {
        self.route = route
        traceparent = head.traceparent
        reserved = length
        body.reserveCapacity(length)
    }

    /// Takes more of the body. An answer says that the delivery must be refused instead.
    mutating func append(_ bytes: ByteBuffer, _ core: IngressCore) -> Answer? {
        let length = body.count + bytes.readableBytes
        if length > reserved {
            // Only chunked bodies get here: no other has more bytes than it declared.
            if length > core.configuration.maxBodyBytes { return .bodyTooLarge }
            guard core.budget.reserve(length - reserved) else { return .overloaded }
            reserved = length
        }
        bytes.withUnsafeReadableBytes { body.append(contentsOf: $0) }
        return nil
    }
}
