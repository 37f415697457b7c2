import NIOCore

/// What has arrived on a connection and is not handled: part of a head, or what has to wait.
struct RequestInput {
    private var parser: HTTP1Parser
    private var bytes = RequestInput.none
    private static let none = ByteBuffer()

    init(_ limits: HTTP1Parser.Limits) { parser = HTTP1Parser(limits) }

    var isEmpty: Bool { bytes.readableBytes == 0 }
    /// Memory that is held for what waits.
    var heldBytes: Int { isEmpty ? 0 : bytes.storageCapacity }

    mutating func append(_ more: ByteBuffer) {
        if isEmpty {
            bytes = more
        } else {
            var more = more
            bytes.discardReadBytes()
            bytes.writeBuffer(&more)
        }
    }

    /// The next event of the requests, taken off the bytes; of a body the part that is there comes along, where it lies.
    mutating func next() -> (event: HTTP1Parser.Event, body: ByteBuffer?) {
        let (event, taken) = Self.next(&parser, bytes)
        var body: ByteBuffer?
        if case .body(let range) = event {
            body = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count)
        }
        bytes.moveReaderIndex(forwardBy: taken)
        return (event, body)
    }

    /// Of the event before.
    mutating func takeHead() -> RequestHead { parser.takeHead() }

    /// Of its own, because a span of `bytes` would keep all of this from being changed.
    private static func next(_ parser: inout HTTP1Parser, _ bytes: ByteBuffer) -> (HTTP1Parser.Event, Int) {
        parser.next(bytes.readableBytesSpan)
    }

    /// What is read through goes back at once, so that the channel can read into it again.
    mutating func release() {
        if isEmpty { drop() }
    }

    mutating func drop() { bytes = Self.none }
}
