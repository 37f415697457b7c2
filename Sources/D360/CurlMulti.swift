import CCurl
import Foundation
import Synchronization

/// One libcurl multi handle and the thread that drives it.
///
/// `@unchecked Sendable`: `active`, `idle` and `nextSweep` belong to the thread started by `start()` and are touched nowhere else;
/// `multi` is used by that thread, and by others for `curl_multi_wakeup` only, which libcurl allows; everything
/// that other threads say goes through `inbox`. The thread holds the object until it ends, and the owner holds it as
/// long as it may call, so the handle is freed after its last use.
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
        var isClosing = false
        var isStopped = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }
    private struct Active {
        let id: UInt64
        let transfer: CurlTransfer
        let waiter: Waiter
        let deadline: ContinuousClock.Instant
    }

    private let multi: UnsafeMutableRawPointer
    private let configuration: HTTPTransportConfiguration
    private let inbox = Mutex(Inbox())
    private var active: [UnsafeMutableRawPointer: Active] = [:]
    private var idle: [CurlTransfer] = []
    private var nextSweep = ContinuousClock.now

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
    /// Handles kept for reuse; one holds some kilobytes.
    private static let maxIdle = 256
    private static let sweepInterval = Duration.milliseconds(250)

    init(_ configuration: HTTPTransportConfiguration) {
        precondition(Self.isLibraryReady, "libcurl cannot be initialised")
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl is out of memory") }
        self.multi = multi
        self.configuration = configuration
        _ = d360_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
        _ = d360_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.maxConnections)
        _ = d360_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.maxConnections)
    }

    deinit { curl_multi_cleanup(multi) }

    func start() {
        let thread = Thread { self.run() }
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
            return nil
        }
        if let refusal { waiter.resume(returning: .failure(refusal)) } else { curl_multi_wakeup(multi) }
    }

    func cancel(_ id: UInt64) {
        inbox.withLock { $0.cancelled.append(id) }
        curl_multi_wakeup(multi)
    }

    /// Takes no more requests; the thread ends when those under way have ended.
    func close() {
        inbox.withLock { $0.isClosing = true }
        curl_multi_wakeup(multi)
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
        while true {
            takeInbox()
            var running: Int32 = 0
            let code = curl_multi_perform(multi, &running)
            if code == CURLM_OK { reap() } else { abandonAll(code) }
            sweep()
            if hasEnded() { return }
            // Returns early on traffic, on libcurl's own timers and on wake-ups.
            let wait = active.isEmpty ? .seconds(60) : Self.sweepInterval
            curl_multi_poll(multi, nil, 0, Int32(wait / .milliseconds(1)), nil)
        }
    }

    /// Begins and gives up what was asked for.
    private func takeInbox() {
        let (submitted, cancelled) = inbox.withLock { inbox in
            defer {
                inbox.submitted = []
                inbox.cancelled = []
            }
            return (inbox.submitted, inbox.cancelled)
        }
        for submission in submitted { begin(submission) }
        if !cancelled.isEmpty { abandon(Set(cancelled)) }
    }

    /// Whether the thread shall end: closed, and nothing left. Wakes those who wait for that.
    private func hasEnded() -> Bool {
        let closers: [CheckedContinuation<Void, Never>]? = inbox.withLock { inbox in
            guard inbox.isClosing, inbox.outstanding == 0 else { return nil }
            inbox.isStopped = true
            defer { inbox.closers = [] }
            return inbox.closers
        }
        for closer in closers ?? [] { closer.resume() }
        return closers != nil
    }

    private func begin(_ submission: Submission) {
        guard let transfer = idle.popLast() ?? CurlTransfer() else {
            return end(submission.waiter, .failure(TransportError(.transfer, .notSent, "libcurl is out of memory")))
        }
        do throws(TransportError) {
            try transfer.prepare(submission.request, configuration)
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
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let entry = active.removeValue(forKey: easy)
            else { continue }
            // The message dies with the handle's removal: read it first.
            let outcome = entry.transfer.finish(d360_message_result(message))
            curl_multi_remove_handle(multi, easy)
            if idle.count < Self.maxIdle { idle.append(entry.transfer) }
            end(entry.waiter, outcome)
        }
    }

    /// Gives up requests whose callers no longer wait; their connections are closed.
    private func abandon(_ ids: Set<UInt64>) {
        for entry in active.values where ids.contains(entry.id) {
            remove(entry, .cancelled, "the caller gave up")
        }
    }

    /// libcurl keeps no time for requests that wait for a connection (7.88), so the total time-out is kept here as well.
    private func sweep() {
        let now = ContinuousClock.now
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
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

    private func end(_ waiter: Waiter, _ outcome: Outcome) {
        inbox.withLock { $0.outstanding -= 1 }
        waiter.resume(returning: outcome)
    }
}
