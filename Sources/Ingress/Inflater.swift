import CZlib

/// How a body is compressed on its way (RFC 9110, 8.4.1). The fence around zlib: the only file that imports it.
enum ContentCoding {
    case gzip, deflate

    /// Nil for every other coding, and for several on top of each other.
    init?(_ header: ArraySlice<UInt8>) {
        if header.isSameToken(as: "gzip") || header.isSameToken(as: "x-gzip") {
            self = .gzip
        } else if header.isSameToken(as: "deflate") {
            self = .deflate
        } else {
            return nil
        }
    }

    /// zlib's name for the format. `deflate` means a zlib stream, but some senders leave its two-byte head away.
    fileprivate func windowBits(_ body: RawSpan) -> Int32 {
        switch self {
        case .gzip: 15 + 16
        case .deflate:
            body.byteCount >= 2 && body[0] & 0x0F == 8 && (Int(body[0]) << 8 | Int(body[1])) % 31 == 0 ? 15 : -15
        }
    }
}

/// Inflates a body step by step, so that a bomb ends at the first step beyond the bound.
///
/// Work is linear in the compressed bytes plus the bound, whatever the stream says about itself; its checksum is
/// verified.
final class Inflater {
    /// Bytes that come out of one step at most.
    private static let stepBytes = 64 << 10

    /// In a place of its own: zlib keeps the address and refuses a stream that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private let coding: ContentCoding
    private var inflated: [UInt8] = []

    /// The inflated `body`, or the answer to refuse it with.
    ///
    /// - Parameters:
    ///   - limit: bytes that may come out.
    ///   - reserve: asked for so many bytes more before they are needed; false ends it.
    static func inflate(
        _ body: RawSpan, _ coding: ContentCoding, limit: Int, reserve: (_ bytes: Int) -> Bool
    ) -> Result<[UInt8], Answer> {
        guard let inflater = Inflater(coding, windowBits: coding.windowBits(body)) else { return .failure(.overloaded) }
        // zlib reads through this pointer, within the closure only, and never writes there.
        let refusal = body.withUnsafeBytes { input in
            let start = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
            inflater.stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
            inflater.stream.pointee.avail_in = UInt32(input.count)
            return inflater.run(limit: limit, reserve: reserve)
        }
        return refusal.map { .failure($0) } ?? .success(inflater.inflated)
    }

    private init?(_ coding: ContentCoding, windowBits: Int32) {
        self.coding = coding
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Without memory for it nothing was made, and ending it in `deinit` is refused without harm.
        guard millrace_inflate_init(stream, windowBits) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    private func run(limit: Int, reserve: (Int) -> Bool) -> Answer? {
        var reserved = 0
        while true {
            // One byte beyond the limit tells a body of exactly the limit from a larger one.
            let room = min(Self.stepBytes, limit + 1 - inflated.count)
            let missing = inflated.count + room - reserved
            if missing > 0 {
                guard reserve(missing) else { return .overloaded }
                reserved += missing
            }
            let status = step(room)
            if inflated.count > limit { return .bodyTooLarge }
            switch status {
            case Z_STREAM_END:
                if stream.pointee.avail_in == 0 { return nil }
                // gzip allows several members, one after the other (RFC 1952, 2.2).
                guard coding == .gzip, inflateReset(stream) == Z_OK else { return .invalidEncoding }
            case Z_OK where stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0: break
            default: return .invalidEncoding
            }
        }
    }

    private func step(_ room: Int) -> Int32 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stepBytes) { output in
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(room)
            let status = CZlib.inflate(stream, Z_NO_FLUSH)
            let produced = room - Int(stream.pointee.avail_out)
            inflated.append(contentsOf: UnsafeBufferPointer(rebasing: output[..<produced]))
            return status
        }
    }
}

@available(*, unavailable)
extension Inflater: Sendable {}
