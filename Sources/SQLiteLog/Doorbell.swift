import EventLog
import Foundation
import GRDB
import Synchronization

/// Tells the waiting readers of all processes that something was committed.
///
/// Whoever commits writes a byte into a small file; a thread in each process watches that file (inotify) and wakes its
/// waiters. The write-ahead log itself cannot be watched: it changes before the commit is visible. Wake-ups of a busy
/// log are gathered: the first is immediate, the next ones keep `gap`. Should a ring be missed (the writer died
/// between commit and ring), a look at SQLite's change counter every 100 ms makes up for it.
final class Doorbell: Sendable {
    private static let gap: Duration = .milliseconds(5)
    private static let fallback: Duration = .milliseconds(100)

    private struct Waiter {
        var deadline: ContinuousClock.Instant?
        var continuation: CheckedContinuation<Void, Never>
    }
    private struct State {
        var rings: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var lastFire = ContinuousClock.now
        /// When the thread looks up by itself; a waiter with an earlier deadline must poke it.
        var plannedWake = ContinuousClock.now
        var isClosed = false
    }

    private let state = Mutex(State())
    private let bell: Int32
    /// -1 when the system gives no more watches: then each commit of this process fires by itself.
    private let watch: Int32
    private let pokeReader: Int32
    private let pokeWriter: Int32
    private let connection: DatabaseQueue
    private let ended = DispatchSemaphore(value: 0)

    init(_ store: Store) throws {
        connection = try store.connection(busyTimeout: 0.1)
        bell = Glibc.open(store.bellPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard bell >= 0 else { throw LogError.system("open", store.bellPath) }
        watch = inotify_init1(Int32(O_CLOEXEC | O_NONBLOCK))
        if watch >= 0 { _ = inotify_add_watch(watch, store.bellPath, UInt32(IN_MODIFY)) }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw LogError.system("pipe", "") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (pokeReader, pokeWriter) = (ends[0], ends[1])
    }

    deinit {
        for descriptor in [bell, watch, pokeReader, pokeWriter] where descriptor >= 0 { Glibc.close(descriptor) }
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = "sqlite-doorbell"
        thread.start()
    }

    /// Wakes all waiters for good. Blocks until the thread has ended.
    func close() throws {
        state.withLock { $0.isClosed = true }
        poke()
        ended.wait()
        fire()
        try connection.close()
    }

    /// Take it before looking at the log; `wait(past:)` then misses nothing that comes after the look.
    var ticket: UInt64 { state.withLock { $0.rings } }

    /// After a commit: wakes this process and all others.
    func ring() {
        var byte: UInt8 = 1
        _ = pwrite(bell, &byte, 1, 0)
        if watch < 0 { fire() }
    }

    /// Wakes the waiters of this process.
    func fire() {
        let waiters = state.withLock { state in
            state.rings += 1
            state.lastFire = .now
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.continuation.resume() }
    }

    /// Returns when something has happened since `ticket` was taken, at the deadline, when the task is cancelled, or
    /// when the log closes.
    func wait(past ticket: UInt64, until deadline: ContinuousClock.Instant?) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, pokes) = state.withLock { state in
                    if state.isClosed || state.rings != ticket { return (true, false) }
                    state.waiters[id] = Waiter(deadline: deadline, continuation: continuation)
                    return (false, deadline.map { $0 < state.plannedWake } ?? false)
                }
                if isOver { return continuation.resume() }
                if pokes { poke() }
                // A cancellation may have come before the waiter was there to be found.
                if Task.isCancelled { dismiss(id) }
            }
        } onCancel: {
            dismiss(id)
        }
    }

    private func dismiss(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
    }

    private func poke() {
        var byte: UInt8 = 1
        // A full pipe wakes the thread as well.
        _ = write(pokeWriter, &byte, 1)
    }

    private func run() {
        defer { ended.signal() }
        var version = changeCounter()
        while let timeout = planWake() {
            var sources = [
                pollfd(fd: watch, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pokeReader, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&sources, 2, Int32(timeout.milliseconds))
            if sources[1].revents != 0 { drain(pokeReader) }
            if sources[0].revents != 0 {
                keepGap()
                drain(watch)
                fire()
            } else if ready == 0, state.withLock({ !$0.waiters.isEmpty }) {
                let found = changeCounter()
                if found != version { fire() }
                version = found
            }
            dismissOverdue()
        }
    }

    /// How long to sleep: until the first deadline, at most until the next look at the change counter. Nil: closed.
    private func planWake() -> Duration? {
        state.withLock { state in
            if state.isClosed { return nil }
            let now = ContinuousClock.now
            var wake = now + Self.fallback
            for waiter in state.waiters.values { if let deadline = waiter.deadline { wake = min(wake, deadline) } }
            state.plannedWake = wake
            // Rounded up, lest the last millisecond be polled through.
            return max(.zero, wake - now) + .milliseconds(1)
        }
    }

    private func dismissOverdue() {
        let now = ContinuousClock.now
        let overdue = state.withLock { state in
            let ids = state.waiters.filter { $0.value.deadline.map { $0 <= now } ?? false }.keys
            return ids.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        for waiter in overdue { waiter.continuation.resume() }
    }

    private func keepGap() {
        let rest = state.withLock { $0.lastFire } + Self.gap - .now
        if rest > .zero { usleep(UInt32(rest.components.attoseconds / 1_000_000_000_000)) }
    }

    private func drain(_ descriptor: Int32) {
        withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { buffer in
            while read(descriptor, buffer.baseAddress, buffer.count) == buffer.count {}
        }
    }

    /// Changes with every commit of any other connection.
    private func changeCounter() -> Int64? {
        try? connection.inDatabase { try Int64.fetchOne($0.cachedStatement(sql: "PRAGMA data_version")) }
    }
}
