import CCurl

/// Sets options of one easy handle and remembers the first refusal, so that callers check once.
struct CurlOptions {
    private let easy: UnsafeMutableRawPointer
    private(set) var failure = CURLE_OK

    init(_ easy: UnsafeMutableRawPointer) { self.easy = easy }

    mutating func set(_ option: CURLoption, _ value: Int) { fail(d360_set_long(easy, option, value)) }
    mutating func setOffset(_ option: CURLoption, _ value: Int) {
        fail(d360_set_offset(easy, option, curl_off_t(value)))
    }
    mutating func set(_ option: CURLoption, _ value: String) { fail(d360_set_string(easy, option, value)) }
    mutating func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        fail(d360_set_pointer(easy, option, pointer))
    }
    mutating func set(_ option: CURLoption, _ callback: d360_data_callback) {
        fail(d360_set_callback(easy, option, callback))
    }

    /// libcurl copies the bytes.
    mutating func setBody(_ body: [UInt8]) {
        setOffset(CURLOPT_POSTFIELDSIZE_LARGE, body.count)
        body.withUnsafeBytes { bytes in
            // Of no bytes it wants to know where they are all the same.
            let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            if let start, !bytes.isEmpty { set(CURLOPT_COPYPOSTFIELDS, pointer: start) } else { set(CURLOPT_COPYPOSTFIELDS, "") }
        }
    }
    mutating func setPrerequest(_ context: UnsafeMutableRawPointer, _ callback: curl_prereq_callback) {
        fail(d360_set_prereq(easy, callback, context))
    }

    mutating func fail(_ code: CURLcode) {
        if failure == CURLE_OK { failure = code }
    }

    /// What all requests of a transport share.
    mutating func setConnection(_ configuration: HTTPTransportConfiguration, isSecure: Bool, timeout: Duration) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // Answers have some hundred bytes. libcurl takes this memory anew for each request; its own 16 KiB make the allocator
        // put its free memory in order again and again.
        set(CURLOPT_BUFFERSIZE, 4_096)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        // At least 1 ms: libcurl reads 0 as "no limit" or "my own default".
        set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(configuration.connectTimeout / .milliseconds(1))))
        set(CURLOPT_TIMEOUT_MS, max(1, Int(timeout / .milliseconds(1))))
        set(CURLOPT_MAXAGE_CONN, max(1, Int(configuration.maxIdleAge.components.seconds)))
        // Offered by ALPN: a server without HTTP/2 speaks 1.1, and so does every plain connection.
        set(CURLOPT_HTTP_VERSION, configuration.usesHTTP2 ? Int(CURL_HTTP_VERSION_2TLS) : Int(CURL_HTTP_VERSION_1_1))
        // The first requests wait for the first connection to tell whether it takes all of them, instead of opening one each.
        set(CURLOPT_PIPEWAIT, configuration.usesHTTP2 && isSecure ? 1 : 0)
        set(CURLOPT_PROXY, configuration.proxy ?? "")
        if let caFile = configuration.caFile { set(CURLOPT_CAINFO, caFile) }
    }
}
