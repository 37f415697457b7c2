import CCurl
import Foundation
#if canImport(Glibc)
import Glibc
#endif
import Synchronization

/// One libcurl multi handle and the thread that drives it.
///
/// `@unchecked Sendable`: `active`, `idle`, `nextSweep`, `done` and `ended` belong to the thread started by `start()` and are touched
/// nowhere else, and so are `multi` and `events` but for `events.wake`; everything that other threads say goes through
/// `inbox`.
///
/// **Life.** The thread frees every libcurl handle itself, as its last act, before anybody who waits for the end hears
/// of it: closing a TLS connection writes to it, and nothing of libcurl may run when the process exits, because OpenSSL
/// takes itself apart then. `CurlThreads` ends the threads that still run at exit.
final class CurlMulti: @unchecked Sendable {
    typealias Outcome = Result<HTTPResponse, TransportError>
    typealias Waiter = CheckedContinuation<Outcome, Never>

    private struct Submission {
        let id: UInt64
        let request: HTTPRequest
        let waiter: Waiter
    }
    private struct Inbox {
        var submitted: [Submission] = []
        var cancelled: [UInt64] = []
        /// Submitted and not ended.
        var outstanding = 0
        /// The thread was told to look in here and has not yet done so: telling it again would be a wasted system call.
        var isWoken = false
        var isClosing = false
        /// What is under way is given up.
        var isExiting = false
        /// The thread is past its last use of the handle but for freeing it.
        var isStopping = false
        var isStopped = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }
    private struct Active {
        let id: UInt64
        let transfer: CurlTransfer
        let waiter: Waiter
        /// By the clock that libcurl has, too: it stands while the machine sleeps.
        let deadline: SuspendingClock.Instant
    }

    private let multi: UnsafeMutableRawPointer
    private let events: CurlEvents
    private let configuration: HTTPTransportConfiguration
    private let inbox = Mutex(Inbox())
    private var active: [UnsafeMutableRawPointer: Active] = [:]
    /// Handles kept for reuse, as many as there may be connections; one holds some kilobytes.
    private var idle: [CurlTransfer] = []
    private var nextSweep = SuspendingClock.now
    /// Empty but within `reap` and until `answerEnded`; kept for their memory.
    private var done: [(UnsafeMutableRawPointer, CURLcode)] = []
    private var ended: [(Waiter, Outcome)] = []

    private static let isLibraryReady: Bool = {
        let isReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
        // After OpenSSL has registered its own, so that it runs before that.
        CurlThreads.endAtExit()
        return isReady
    }()
    private static let sweepInterval = Duration.milliseconds(250)

    init(_ configuration: HTTPTransportConfiguration) {
        precondition(Self.isLibraryReady, "libcurl cannot be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl is out of memory") }
        self.multi = multi
        events = CurlEvents(multi)
        self.configuration = configuration
        _ = d360_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
        _ = d360_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.maxConnections)
        _ = d360_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.maxConnections)
    }

    func start() {
        CurlThreads.enter(self)
        let thread = Thread {
            self.run()
            CurlThreads.leave(self)
        }
        thread.name = "d360-http"
        thread.start()
    }

    // MARK: From any thread

    /// Takes a request, or refuses it at once; `waiter` is resumed exactly once either way.
    func submit(_ id: UInt64, _ request: HTTPRequest, _ waiter: Waiter) {
        let refusal: TransportError? = inbox.withLock { inbox in
            if inbox.isClosing { return TransportError(.closed, .notSent, "the transport is shut down") }
            guard inbox.outstanding < configuration.maxRequests else {
                return TransportError(.queueFull, .notSent, "too many requests at once")
            }
            inbox.outstanding += 1
            inbox.submitted.append(Submission(id: id, request: request, waiter: waiter))
            wake(&inbox)
            return nil
        }
        if let refusal { waiter.resume(returning: .failure(refusal)) }
    }

    func cancel(_ id: UInt64) {
        inbox.withLock { inbox in
            guard inbox.outstanding > 0 else { return }
            inbox.cancelled.append(id)
            wake(&inbox)
        }
    }

    /// Takes no more requests; the thread ends when those under way have ended.
    func close() {
        inbox.withLock { inbox in
            inbox.isClosing = true
            wake(&inbox)
        }
    }

    /// Takes no more requests and gives up those under way.
    func abort() {
        inbox.withLock { inbox in
            inbox.isClosing = true
            inbox.isExiting = true
            wake(&inbox)
        }
    }

    private func wake(_ inbox: inout Inbox) {
        guard !inbox.isWoken, !inbox.isStopping else { return }
        inbox.isWoken = true
        events.wake()
    }

    func closeAndWait() async {
        close()
        await withCheckedContinuation { continuation in
            let isStopped = inbox.withLock { inbox in
                if !inbox.isStopped { inbox.closers.append(continuation) }
                return inbox.isStopped
            }
            if isStopped { continuation.resume() }
        }
    }

    // MARK: On the thread

    private func run() {
        Self.blockBrokenPipeSignals()
        repeat {
            takeInbox()
            check(events.runTimer())
            sweep()
            reap()
            answerEnded()
            if isStopping() { break }
            // Returns early on traffic, on libcurl's own timers and on wake-ups.
            check(events.wait(upTo: active.isEmpty ? .seconds(60) : Self.sweepInterval))
        } while true
        freeHandles()
    }

    /// What libcurl says of the multi handle as a whole; anything but success means that all is lost.
    private func check(_ code: CURLMcode) {
        if code != CURLM_OK { abandonAll(code) }
    }

    /// A TLS connection that the other side has closed raises the signal when it is written to; libcurl, told not to
    /// touch signals (`CURLOPT_NOSIGNAL`), leaves it to us. Blocked on this thread, the write fails with `EPIPE` instead.
    private static func blockBrokenPipeSignals() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func freeHandles() {
        idle = []
        curl_multi_cleanup(multi)
        let closers = inbox.withLock { inbox in
            inbox.isStopped = true
            defer { inbox.closers = [] }
            return inbox.closers
        }
        for closer in closers { closer.resume() }
    }

    /// Begins and gives up what was asked for.
    private func takeInbox() {
        let (submitted, cancelled, isExiting) = inbox.withLock { inbox in
            defer {
                inbox.submitted = []
                inbox.cancelled = []
                inbox.isWoken = false
            }
            return (inbox.submitted, inbox.cancelled, inbox.isExiting)
        }
        for submission in submitted { begin(submission) }
        if !cancelled.isEmpty { abandon(Set(cancelled)) }
        if isExiting { for entry in active.values { remove(entry, .closed, "the process ends") } }
    }

    /// Whether the thread shall end: closed, and nothing left.
    private func isStopping() -> Bool {
        inbox.withLock { inbox in
            inbox.isStopping = inbox.isClosing && inbox.outstanding == 0
            return inbox.isStopping
        }
    }

    private func begin(_ submission: Submission) {
        guard let transfer = idle.popLast() ?? CurlTransfer(configuration) else {
            return end(submission.waiter, .failure(TransportError(.transfer, .notSent, "libcurl is out of memory")))
        }
        do throws(TransportError) {
            try transfer.prepare(submission.request)
        } catch {
            return end(submission.waiter, .failure(error))
        }
        let code = curl_multi_add_handle(multi, transfer.easy)
        guard code == CURLM_OK else {
            let detail = String(cString: curl_multi_strerror(code))
            return end(submission.waiter, .failure(TransportError(.transfer, .notSent, detail)))
        }
        let timeout = submission.request.timeout ?? configuration.totalTimeout
        active[transfer.easy] = Active(
            id: submission.id, transfer: transfer, waiter: submission.waiter, deadline: .now + timeout)
    }

    /// Hands out the results of ended transfers.
    private func reap() {
        var left: Int32 = 0
        // All messages first: a message dies with its handle's removal, and removal looks through those that wait.
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            done.append((easy, d360_message_result(message)))
        }
        for (easy, code) in done {
            guard let entry = active.removeValue(forKey: easy) else { continue }
            ended.append((entry.waiter, entry.transfer.finish(code)))
            curl_multi_remove_handle(multi, easy)
            if idle.count < configuration.maxConnections { idle.append(entry.transfer) }
        }
        done.removeAll(keepingCapacity: true)
    }

    /// Gives up requests whose callers no longer wait; their connections are closed.
    private func abandon(_ ids: Set<UInt64>) {
        for entry in active.values where ids.contains(entry.id) {
            remove(entry, .cancelled, "the caller gave up")
        }
    }

    /// libcurl keeps no time for requests that wait for a connection (7.88), so the total time-out is kept here as well.
    private func sweep() {
        let now = SuspendingClock.now
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        // Should a timer of libcurl's ever be missed, this finds it.
        if !active.isEmpty { check(events.runTimer(isSure: true)) }
        for entry in active.values where entry.deadline <= now {
            remove(entry, .timeout, "no answer within the total time-out")
        }
    }

    private func abandonAll(_ code: CURLMcode) {
        let detail = String(cString: curl_multi_strerror(code))
        for entry in active.values { remove(entry, .transfer, detail) }
    }

    private func remove(_ entry: Active, _ code: TransportError.Code, _ detail: String) {
        active[entry.transfer.easy] = nil
        let error = TransportError(code, entry.transfer.delivery, detail)
        curl_multi_remove_handle(multi, entry.transfer.easy)
        end(entry.waiter, .failure(error))
    }

    private func end(_ waiter: Waiter, _ outcome: Outcome) { ended.append((waiter, outcome)) }

    /// Tells those whose requests have ended. First they are no longer outstanding: who hears of an end may submit again.
    private func answerEnded() {
        guard !ended.isEmpty else { return }
        inbox.withLock { $0.outstanding -= ended.count }
        for (waiter, outcome) in ended { waiter.resume(returning: outcome) }
        ended.removeAll(keepingCapacity: true)
    }
}
