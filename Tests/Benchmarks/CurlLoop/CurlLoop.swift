import CCurl

/// libcurl's multi interface as its own examples use it: one thread, handles used again and again, nothing kept of an
/// answer. What any client on libcurl pays at least.
public enum CurlLoop {
    /// How libcurl hears of news.
    public enum Waiting: String {
        /// `curl_multi_poll`, then `curl_multi_perform` looks at all transfers.
        case poll
        /// epoll, then `curl_multi_socket_action` for the sockets that have news.
        case events
    }

    /// Sends `body` to `url` so many times, so many at once. Ends the process when one of them fails.
    public static func run(
        url: String, headers: [String], body: [UInt8], sends: Int, concurrency: Int, waiting: Waiting
    ) {
        guard let multi = curl_multi_init() else { fatalError("libcurl is out of memory") }
        var list: UnsafeMutablePointer<curl_slist>?
        for header in headers { list = curl_slist_append(list, header) }
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: body.count)
        _ = bytes.initialize(from: body)
        let handles = (0..<concurrency).map { _ in easy(url, list, bytes) }
        _ = d360_multi_set_long(multi, CURLMOPT_MAXCONNECTS, concurrency)
        var started = min(sends, concurrency)
        for handle in handles.prefix(started) { curl_multi_add_handle(multi, handle) }
        var ended = 0
        let epoll = waiting == .events ? watch(multi) : -1
        var ready = [d360_ready](repeating: d360_ready(), count: 64)
        while ended < sends {
            var running: Int32 = 0
            if waiting == .poll {
                curl_multi_perform(multi, &running)
            } else {
                curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
                // Nothing here waits for time but what was begun just now.
                let count = d360_wait(epoll, &ready, 64, ended == 0 ? 1 : 1_000)
                for index in 0..<Int(max(0, count)) {
                    curl_multi_socket_action(multi, ready[index].socket, ready[index].events, &running)
                }
            }
            var left: Int32 = 0
            while let message = curl_multi_info_read(multi, &left) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
                precondition(d360_message_result(message) == CURLE_OK, "a send failed")
                ended += 1
                curl_multi_remove_handle(multi, handle)
                guard started < sends else { continue }
                started += 1
                curl_multi_add_handle(multi, handle)
            }
            if ended < sends, waiting == .poll { curl_multi_poll(multi, nil, 0, 1_000, nil) }
        }
        for handle in handles { curl_easy_cleanup(handle) }
        curl_multi_cleanup(multi)
        curl_slist_free_all(list)
        bytes.deallocate()
    }

    private static func watch(_ multi: UnsafeMutableRawPointer) -> Int32 {
        let epoll = epoll_create1(0)
        d360_multi_set_events(
            multi,
            { _, socket, what, context, _ in d360_watch(Int32(Int(bitPattern: context)), socket, what) },
            { _, _, _ in 0 }, UnsafeMutableRawPointer(bitPattern: Int(epoll)))
        return epoll
    }

    private static func easy(
        _ url: String, _ headers: UnsafeMutablePointer<curl_slist>?, _ body: UnsafeMutableBufferPointer<UInt8>
    ) -> UnsafeMutableRawPointer {
        guard let easy = curl_easy_init() else { fatalError("libcurl is out of memory") }
        _ = d360_set_string(easy, CURLOPT_URL, url)
        _ = d360_set_long(easy, CURLOPT_NOSIGNAL, 1)
        _ = d360_set_long(easy, CURLOPT_POST, 1)
        _ = d360_set_long(easy, CURLOPT_POSTFIELDSIZE, body.count)
        _ = d360_set_pointer(easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(body.baseAddress))
        _ = d360_set_pointer(easy, CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headers))
        _ = d360_set_callback(easy, CURLOPT_WRITEFUNCTION) { _, size, count, _ in size * count }
        return easy
    }
}
