import CCurl
#if canImport(Glibc)
import Glibc
#endif

/// What a multi handle waits for: its sockets, its timer, and a bell for other threads.
///
/// libcurl's own waiting (`curl_multi_perform`, `curl_multi_poll`) looks at every transfer under way and asks the kernel
/// about each of their sockets, each time that one of them has news. Here the kernel says which sockets have news (epoll),
/// and libcurl looks at those.
///
/// Confined to the thread of its `CurlMulti`, but for `wake`. `multi` is freed by the owner before this object goes: libcurl
/// calls back until then.
final class CurlEvents {
    private let multi: UnsafeMutableRawPointer
    private let epoll: Int32
    private let bell: Int32
    /// When libcurl wants to be asked without any news.
    private var timer: SuspendingClock.Instant?
    private var ready = [d360_ready](repeating: d360_ready(), count: 64)

    init(_ multi: UnsafeMutableRawPointer) {
        self.multi = multi
        epoll = epoll_create1(O_CLOEXEC)
        bell = eventfd(0, O_CLOEXEC | O_NONBLOCK)
        precondition(
            epoll >= 0 && bell >= 0 && d360_watch(epoll, bell, CURL_POLL_IN) == 0, "no descriptors are left")
        // Unretained: the owner frees `multi` first.
        d360_multi_set_events(
            multi,
            { _, socket, what, context, _ in CurlEvents.from(context).watch(socket, what) },
            { _, milliseconds, context in CurlEvents.from(context).setTimer(milliseconds) },
            Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        close(bell)
        close(epoll)
    }

    /// Ends a wait, or the next one. From any thread.
    func wake() { eventfd_write(bell, 1) }

    /// Lets libcurl do what is due by its timer: what was begun just now, and time-outs. `isSure`: ask it in any case.
    func runTimer(isSure: Bool = false) -> CURLMcode {
        guard isSure || timer.map({ $0 <= .now }) ?? false else { return CURLM_OK }
        timer = nil
        var running: Int32 = 0
        return curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
    }

    /// Waits for news, no longer than that, and lets libcurl act on them.
    func wait(upTo limit: Duration) -> CURLMcode {
        let rest = timer.map { min(limit, max(.zero, SuspendingClock.now.duration(to: $0))) } ?? limit
        // Rounded up: libcurl does not repeat a timer that it is asked about too early.
        let milliseconds = Int32((rest + .microseconds(999)) / .milliseconds(1))
        let count = d360_wait(epoll, &ready, Int32(ready.count), milliseconds)
        var running: Int32 = 0
        for index in 0..<max(0, Int(count)) {
            let (socket, events) = (ready[index].socket, ready[index].events)
            if socket == bell {
                var rings: eventfd_t = 0
                eventfd_read(bell, &rings)
                continue
            }
            let code = curl_multi_socket_action(multi, socket, events, &running)
            if code != CURLM_OK { return code }
        }
        return CURLM_OK
    }

    // MARK: libcurl's wishes

    private func watch(_ socket: curl_socket_t, _ what: Int32) -> Int32 { d360_watch(epoll, socket, what) == 0 ? 0 : -1 }

    private func setTimer(_ milliseconds: Int) -> Int32 {
        timer = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
        return 0
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlEvents {
        guard let context else { preconditionFailure("libcurl called back without its context") }
        return Unmanaged<CurlEvents>.fromOpaque(context).takeUnretainedValue()
    }
}
