import NIOCore
import WhatsApp

/// A webhook's body while it arrives. Its bytes are reserved in the in-flight budget as they come; who drops it must
/// release them.
/// There is one of it, handed on and never copied.
struct Delivery: ~Copyable {
    let route: Route
    let traceparent: [UInt8]?
    private let signatures: PendingSignatures
    private let coding: ContentCoding?
    /// Empty, until the first of it is there.
    private(set) var body = ByteBuffer()
    private let length: Int
    private var reserved = 0
    /// Whether the sender has shown what its channel demands. Where bodies are signed that comes at their end.
    private(set) var isProven: Bool
    /// A body that is still small takes no more memory than this in advance: its length is only what its sender says.
    private static let firstCapacity = 64 << 10

    /// Admits a request, or throws the answer to refuse it with. Nothing of the body is read before this.
    static func admit(_ head: RequestHead, _ core: IngressCore) throws(Answer) -> Delivery {
        if head.framing == .invalid { throw .malformedRequest }
        let channel = try Router.channel(of: head)
        // All of the form before anything of the channel: else the answer would tell whether that one exists.
        if head.expectation == .unknown { throw .expectationFailed }
        var coding: ContentCoding?
        if head.contentEncodings > 1 { throw .unsupportedEncoding }
        if head.contentEncodings == 1 {
            coding = head.headerBytes(Array("content-encoding".utf8)).flatMap { ContentCoding($0) }
            if coding == nil { throw .unsupportedEncoding }
        }
        var length = 0
        switch head.framing {
        case .invalid: throw .malformedRequest
        case .unsupported: throw .unsupportedTransferCoding
        case .absent: throw .lengthRequired
        case .chunked: break
        case .length(let declared): length = declared
        }
        if length > core.configuration.maxBodyBytes { throw .bodyTooLarge }
        let (route, signatures) = try core.router.route(to: channel, head)
        guard core.budget.hasRoom(for: length, isProven: signatures.isProof) else { throw .overloaded }
        return Delivery(route, head, signatures, coding, expecting: length)
    }

    private init(
        _ route: Route, _ head: RequestHead, _ signatures: PendingSignatures, _ coding: ContentCoding?,
        expecting length: Int
    ) {
        self.route = route
        self.signatures = signatures
        self.coding = coding
        traceparent = head.traceparent
        self.length = length
        isProven = signatures.isProof
    }

    /// Gives its bytes back to the budget.
    mutating func release(_ core: IngressCore) {
        core.budget.release(reserved, isProven: isProven)
        reserved = 0
    }

    /// Takes more of the body. An answer says that the delivery must be refused instead.
    mutating func append(_ bytes: ByteBuffer, _ core: IngressCore) -> Answer? {
        // Most bodies come in one piece. They stay where they are, because they are gone before the next read; a part
        // would hold the whole of what was read for as long as its sender likes.
        let count = bytes.readableBytes
        // Only chunked bodies get beyond it: the others were asked for their length.
        if body.readableBytes + count > core.configuration.maxBodyBytes { return .bodyTooLarge }
        guard core.budget.reserve(count, isProven: isProven) else { return .overloaded }
        reserved += count
        if count == length {
            body = bytes
            return nil
        }
        if body.readableBytes == 0 {
            body = ByteBufferAllocator().buffer(capacity: max(min(length, Self.firstCapacity), count))
        }
        body.writeImmutableBuffer(bytes)
        return nil
    }

    /// Of the complete body: checks its signatures, then inflates it, in this order: nothing that a stranger sent is
    /// looked into. An answer says that the delivery must be refused instead.
    mutating func open(_ core: IngressCore) -> Answer? {
        guard signatures.areValid(for: body.readableBytesSpan) else { return .unauthorized }
        if !isProven {
            core.budget.prove(reserved)
            isProven = true
        }
        guard let coding else { return nil }
        var added = 0
        let inflated = Inflater.inflate(body.readableBytesSpan, coding, limit: core.configuration.maxBodyBytes) { bytes in
            guard core.budget.reserve(bytes) else { return false }
            added += bytes
            return true
        }
        reserved += added
        switch inflated {
        case .success(let whole): body = ByteBuffer(bytes: whole)
        case .failure(let answer): return answer
        }
        return nil
    }
}
