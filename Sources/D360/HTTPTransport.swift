import Synchronization

/// HTTP over libcurl, on a thread of its own.
///
/// - Connections are kept and reused; TLS certificates are verified; redirects are not followed.
/// - A request is written **at most once**: libcurl's own repetition on a connection that died is switched off for
///   everything but GET and HEAD.
/// - The number of requests is bounded (`maxRequests`), and so is the size of an answer.
/// - Cancelling the calling task gives the request up and closes its connection.
///
/// Requests under way when the last reference goes are still finished; `shutdown()` also waits for them.
public final class HTTPTransport: Sendable {
    private let engine: CurlMulti
    private let nextID = Atomic<UInt64>(0)

    public init(_ configuration: HTTPTransportConfiguration = HTTPTransportConfiguration()) {
        engine = CurlMulti(configuration)
        engine.start()
    }

    deinit { engine.close() }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// Throws when there is none; `TransportError.delivery` then tells whether the other side may have acted on it.
    public func perform(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        if let fault = request.fault { throw TransportError(.invalidRequest, .notSent, fault) }
        let id = nextID.add(1, ordering: .relaxed).newValue
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                engine.submit(id, request, waiter)
                // A cancellation before `submit` found nothing to cancel.
                if Task.isCancelled { engine.cancel(id) }
            }
        } onCancel: {
            engine.cancel(id)
        }
        return try outcome.get()
    }

    /// Refuses new requests and returns when those under way have ended: within the total time-out.
    public func shutdown() async { await engine.closeAndWait() }
}
