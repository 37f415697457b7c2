import CCurl

/// One libcurl easy handle with what its callbacks read and write. It serves one request after the other.
///
/// Confined to the thread of the `CurlMulti` that made it: libcurl calls back on that thread only.
///
/// **libcurl asks before it sends (`CURLOPT_PREREQFUNCTION`), on purpose.** First, that tells for certain whether anything
/// can have left: not asked, not sent. Second, libcurl quietly repeats a request when a reused connection ends without an
/// answer, a POST too, although the server may have acted on it; it asks again, is refused, and the caller learns that the
/// outcome is unknown. Head and body leave in one piece.
final class CurlTransfer {
    let easy: UnsafeMutableRawPointer
    private let configuration: HTTPTransportConfiguration
    private var request = HTTPRequest(url: "")
    /// What the handle is set up for, beyond URL, headers and body; nil at first.
    private var shape: Shape?
    /// libcurl has begun to send.
    private var isBegun = false
    private var response = HTTPResponse()
    private var headerBytes = 0
    private var overflowed = false

    /// More header bytes than any real server sends; beyond it the answer counts as too large.
    private static let maxHeaderBytes = 64 << 10
    private static let usualHeaderBytes = 512

    /// Requests of one shape need the same options of the handle, which libcurl keeps from one to the next.
    private struct Shape: Equatable {
        let method: String
        let hasBody: Bool
        let isSecure: Bool
        let timeout: Duration
    }

    init?(_ configuration: HTTPTransportConfiguration) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.configuration = configuration
    }

    deinit { curl_easy_cleanup(easy) }

    /// Sets everything up for `request`; nothing of an earlier request remains, except libcurl's own caches and the
    /// options that both have in common.
    func prepare(_ request: HTTPRequest) throws(TransportError) {
        let shape = Shape(
            method: request.method, hasBody: !request.body.isEmpty, isSecure: request.isSecure,
            timeout: request.timeout ?? configuration.totalTimeout)
        let isNew = shape != self.shape
        let hasOtherURL = isNew || request.url != self.request.url
        self.request = request
        isBegun = false
        response = HTTPResponse()
        headerBytes = 0
        overflowed = false
        var options = CurlOptions(easy)
        if isNew {
            curl_easy_reset(easy)
            options.setConnection(configuration, isSecure: shape.isSecure, timeout: shape.timeout)
            setMethod(&options)
            setCallbacks(&options)
        }
        if hasOtherURL { options.set(CURLOPT_URL, request.url) }
        if shape.hasBody { options.setBody(request.body) }
        options.set(CURLOPT_HTTPHEADER, pointer: UnsafeMutableRawPointer(request.headers.list))
        self.shape = options.failure == CURLE_OK ? shape : nil
        guard options.failure == CURLE_OK else { throw error(options.failure) }
    }

    /// What became of the request, for libcurl's result code.
    func finish(_ code: CURLcode) -> Result<HTTPResponse, TransportError> {
        guard code == CURLE_OK else { return .failure(error(code)) }
        var status = 0
        _ = d360_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        response.status = status
        return .success(response)
    }

    func error(_ code: CURLcode) -> TransportError {
        if overflowed { return TransportError(.responseTooLarge, delivery, "the answer is larger than the limit") }
        return TransportError(.init(code), delivery, String(cString: curl_easy_strerror(code)))
    }

    /// Whether the server may have the whole request by now.
    var delivery: TransportError.Delivery { isBegun ? .unknown : .notSent }

    private func setMethod(_ options: inout CurlOptions) {
        if !request.body.isEmpty {
            options.set(CURLOPT_POST, 1)
            // libcurl says POST by itself.
            if request.method != "POST" { options.set(CURLOPT_CUSTOMREQUEST, request.method) }
            return
        }
        switch request.method {
        case "GET": options.set(CURLOPT_HTTPGET, 1)
        case "HEAD": options.set(CURLOPT_NOBODY, 1)
        case "POST", "PUT", "PATCH":
            options.set(CURLOPT_POST, 1)
            options.setBody([])
            options.set(CURLOPT_CUSTOMREQUEST, request.method)
        default:
            options.set(CURLOPT_HTTPGET, 1)
            options.set(CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    private func setCallbacks(_ options: inout CurlOptions) {
        // Unretained: `CurlMulti` holds the transfer for as long as the handle is in use.
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.setPrerequest(context) { context, _, _, _, _ in CurlTransfer.from(context).mayBegin }
        options.set(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            CurlTransfer.from(context).take(bytes, size * count)
        }
        options.set(CURLOPT_WRITEDATA, pointer: context)
        options.set(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            CurlTransfer.from(context).takeHeader(bytes, size * count)
        }
        options.set(CURLOPT_HEADERDATA, pointer: context)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let context else { preconditionFailure("libcurl called back without its context") }
        return Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// Once; methods that only read may be repeated.
    private var mayBegin: Int32 {
        if isBegun, request.method != "GET", request.method != "HEAD" { return CURL_PREREQFUNC_ABORT }
        isBegun = true
        return CURL_PREREQFUNC_OK
    }

    /// Any other number than `count` makes libcurl give up the transfer.
    private func take(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard let bytes, count > 0 else { return count }
        guard response.body.count + count <= configuration.maxResponseBytes else {
            overflowed = true
            return 0
        }
        response.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return count
    }

    private func takeHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard let bytes else { return count }
        headerBytes += count
        guard headerBytes <= Self.maxHeaderBytes else {
            overflowed = true
            return 0
        }
        let line = UnsafeRawBufferPointer(start: bytes, count: count)
        if line.starts(with: "HTTP/".utf8) {
            response.head.removeAll(keepingCapacity: true)  // an interim answer came before
            response.head.reserveCapacity(Self.usualHeaderBytes)
        } else {
            response.head.append(contentsOf: line)
        }
        return count
    }
}

extension TransportError.Code {
    fileprivate init(_ code: CURLcode) {
        self =
            switch code {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
            case CURLE_COULDNT_CONNECT: .connect
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
                .tls
            case CURLE_OPERATION_TIMEDOUT: .timeout
            case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_SEND_FAIL_REWIND,
                CURLE_ABORTED_BY_CALLBACK, CURLE_HTTP2, CURLE_HTTP2_STREAM:
                .cut
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalidRequest
            default: .transfer
            }
    }
}
