/// Reads HTTP/1.1 requests out of a stream of bytes, as strictly as RFC 9112 allows.
///
/// Pure: bytes in, events out; no copy but that of a head. What two readers could understand differently is refused,
/// never repaired, because behind a proxy every such reading is a way to smuggle a request:
///
/// | input | answer |
/// |---|---|
/// | a bare LF or CR, NUL, any control byte but a tab in a value | 400 |
/// | a line that begins with a blank (obs-fold), a blank before the colon, an empty or odd name | 400 |
/// | other versions than HTTP/1.0 and HTTP/1.1, more than one blank between the words of the request line | 400 |
/// | no Host or several (HTTP/1.1), a Host that is none | 400, see `RequestHead.Framing.invalid` |
/// | Content-Length that is not digits alone, repeated, or beside Transfer-Encoding | 400, likewise |
/// | Transfer-Encoding from HTTP/1.0, or repeated | 400, likewise |
/// | a transfer coding other than `chunked` | 501, see `RequestHead.Framing.unsupported` |
/// | a chunk size that is not 1 to 8 hex digits, chunk data that does not end in CRLF | 400 |
/// | a request line, a head, chunk extensions or trailers beyond their limits | 414, 431, 400, 431 |
///
/// After any of these nothing further is read: the parser stays where it failed.
struct HTTP1Parser {
    struct Limits: Sendable {
        /// RFC 9112, 3 asks for 8,000 at least.
        var requestLine = 8 << 10
        /// Of all header lines of a head, or of all trailer lines, with their line ends.
        var headerBytes = 16 << 10
        var headerCount = 100
        /// Of a chunk's size with its extensions.
        var chunkLine = 256
        /// What chunks may cost over their data, all together, beyond what small chunks need anyway. Extensions are
        /// read and dropped; without a bound a body of a few bytes could bring gigabytes of them.
        var chunkOverhead = 16 << 10
    }

    enum Event {
        /// More bytes are needed.
        case incomplete
        /// `takeHead` has it. An event that carried it would be copied and destroyed by its type's functions.
        case head
        /// Part of the body: a range of the input.
        case body(Range<Int>)
        /// The request is complete.
        case end
        case malformed(Answer)
    }

    private enum State {
        case head
        /// Bytes of the body that are to come.
        case body(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers
        case failed(Answer)
    }

    private let limits: Limits
    private var state = State.head
    /// Bytes of the line at hand that are known to hold no line end.
    private var scanned = 0
    /// Of the head at hand; its bytes stay in the input until it is whole.
    private var draft: RequestHead.Draft?
    private var wholeHead: RequestHead?
    private var lineStart = 0
    private var skippedBlankLine = false
    private var trailerBytes = 0
    private var trailerCount = 0
    private var chunkOverhead = 0

    init(_ limits: Limits) { self.limits = limits }

    /// Reads the next event. `taken` bytes are done with; the others must come again, with more behind them.
    mutating func next(_ input: RawSpan) -> (event: Event, taken: Int) {
        var at = 0
        while true {
            switch state {
            case .head: return head(input)
            case .body(0): return end(at)
            case .body(let left): return data(input, at, left) { .body($0) }
            case .chunk(let left): return data(input, at, left) { $0 == 0 ? .chunkEnd : .chunk($0) }
            case .chunkEnd:
                guard input.byteCount >= at + 2 else {
                    if input.byteCount > at, input[at] != .carriageReturn { return fail(.malformedRequest) }
                    return (.incomplete, at)
                }
                guard input[at] == .carriageReturn, input[at + 1] == .lineFeed else { return fail(.malformedRequest) }
                at += 2
                state = .chunkSize
            case .chunkSize, .trailers:
                switch line(input, from: at, limit: lineLimit) {
                case .incomplete: return (.incomplete, at)
                case .malformed: return fail(.malformedRequest)
                case .tooLong: return fail(isInTrailers ? .headersTooLarge : .malformedRequest)
                case .text(let line):
                    at = line.upperBound + 2
                    if isInTrailers {
                        if line.isEmpty { return end(at) }
                        if let answer = trailer(input, line) { return fail(answer) }
                    } else if let answer = chunkSize(input, line) {
                        return fail(answer)
                    }
                }
            case .failed(let answer): return (.malformed(answer), input.byteCount)
            }
        }
    }

    /// Of the event before.
    mutating func takeHead() -> RequestHead {
        guard let head = wholeHead.take() else { preconditionFailure("a head is taken once, after its event") }
        return head
    }

    private mutating func fail(_ answer: Answer) -> (Event, Int) {
        state = .failed(answer)
        draft = nil
        return (.malformed(answer), 0)
    }

    private mutating func end(_ taken: Int) -> (Event, Int) {
        state = .head
        return (.end, taken)
    }

    private mutating func data(
        _ input: RawSpan, _ at: Int, _ left: Int, _ next: (Int) -> State
    ) -> (Event, Int) {
        let count = min(left, input.byteCount - at)
        if count == 0 { return (.incomplete, at) }
        state = next(left - count)
        return (.body(at..<at + count), at + count)
    }
}

// MARK: Lines

extension HTTP1Parser {
    private enum Line {
        /// Without its line end, which is two bytes.
        case text(Range<Int>)
        case incomplete, malformed, tooLong
    }

    /// The line that begins at `start`. It ends in CRLF and holds no other control byte than tabs.
    private mutating func line(_ input: RawSpan, from start: Int, limit: Int) -> Line {
        var at = start + scanned
        let end = input.byteCount
        while true {
            at = input.firstControl(from: at)
            if at - start > limit { return .tooLong }
            scanned = at - start
            guard at < end else { return .incomplete }
            switch input[at] {
            case .tab: at += 1
            case .carriageReturn:
                guard at + 1 < end else { return .incomplete }
                guard input[at + 1] == .lineFeed else { return .malformed }
                scanned = 0
                return .text(start..<at)
            default: return .malformed
            }
        }
    }

    private var isInTrailers: Bool { if case .trailers = state { true } else { false } }
    private var lineLimit: Int { isInTrailers ? max(0, limits.headerBytes - trailerBytes) : limits.chunkLine }
}

// MARK: Heads

extension HTTP1Parser {
    private mutating func head(_ input: RawSpan) -> (Event, Int) {
        while true {
            let requestLineEnd = draft?.fieldsStart
            let limit = requestLineEnd.map { limits.headerBytes - (lineStart - $0) } ?? limits.requestLine
            switch line(input, from: lineStart, limit: max(0, limit)) {
            case .incomplete: return (.incomplete, 0)
            case .malformed: return fail(.malformedRequest)
            case .tooLong: return fail(requestLineEnd == nil ? .uriTooLong : .headersTooLarge)
            case .text(let line):
                lineStart = line.upperBound + 2
                if requestLineEnd == nil {
                    // RFC 9112, 2.2: one blank line before a request is forgiven.
                    if line.isEmpty, !skippedBlankLine {
                        skippedBlankLine = true
                    } else {
                        draft = RequestHead.Draft(input, requestLine: line)
                        if draft == nil { return fail(.malformedRequest) }
                    }
                } else if line.isEmpty {
                    return complete(input)
                } else if let answer = draft!.take(input, field: line, maxCount: limits.headerCount) {
                    return fail(answer)
                }
            }
        }
    }

    private mutating func complete(_ input: RawSpan) -> (Event, Int) {
        guard let draft = draft.take() else { preconditionFailure("a head without its request line") }
        let taken = lineStart
        (lineStart, scanned, skippedBlankLine) = (0, 0, false)
        let head = draft.finish(input, end: taken)
        switch head.framing {
        case .absent: state = .body(0)
        case .length(let length): state = .body(length)
        case .chunked:
            state = .chunkSize
            (trailerBytes, trailerCount, chunkOverhead) = (0, 0, 0)
        case .unsupported: state = .failed(.unsupportedTransferCoding)
        case .invalid: state = .failed(.malformedRequest)
        }
        wholeHead = head
        return (.head, taken)
    }
}

// MARK: Chunks

extension HTTP1Parser {
    /// `size [;extensions]`: RFC 9112, 7.1. No blanks around the size, which the grammar tolerates for bad senders.
    private mutating func chunkSize(_ input: RawSpan, _ line: Range<Int>) -> Answer? {
        var size = 0
        var at = line.lowerBound
        while at < line.upperBound, let digit = input[at].hexDigitValue {
            if at - line.lowerBound == 8 { return .malformedRequest }
            size = size << 4 | digit
            at += 1
        }
        guard at > line.lowerBound, at == line.upperBound || input[at] == UInt8(ascii: ";") else {
            return .malformedRequest
        }
        // Small chunks are legitimate: each is granted what its frame needs and as much again as its data.
        chunkOverhead = max(0, chunkOverhead + line.count + 2 - 16 - 2 * size)
        if chunkOverhead > limits.chunkOverhead { return .malformedRequest }
        state = size == 0 ? .trailers : .chunk(size)
        return nil
    }

    /// Trailers are checked as headers are, and dropped: they must not change what the head has said.
    private mutating func trailer(_ input: RawSpan, _ line: Range<Int>) -> Answer? {
        if RequestHead.Field(input, line) == nil { return .malformedRequest }
        trailerBytes += line.count + 2
        trailerCount += 1
        return trailerCount > limits.headerCount ? .headersTooLarge : nil
    }
}
