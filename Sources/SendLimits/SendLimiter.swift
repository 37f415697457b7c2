import EventLog
import Synchronization
import WhatsApp

/// Lets messages go no faster than the platform takes them, without a coordinator between instances.
///
///     let permit = try await limiter.admit(SendAdmission(number: …, pair: …, kind: .reply))
///     …what must be done before…
///     try await limiter.awaitDeparture(number: …)
///     …send…
///     permit.report(.accepted)
///
/// Each instance takes the part of every rate that it owns of all partitions (`setShare`), and tells the others through
/// `learned()` what the platform made it learn. A waiter costs an entry in a table: there is one timer for all of them,
/// and no thread.
public final class SendLimiter: Sendable {
    private typealias Outcome = Result<SendPermit, SendRefusal>
    private typealias Waiting = CheckedContinuation<Outcome, Never>

    private struct Shell {
        var state: SendLimiterState
        var waiting: [UInt64: Waiting] = [:]
        /// Of those who do not wait yet.
        var decided: [UInt64: Outcome] = [:]
        var timer: (at: Duration, task: Task<Void, Never>)?
    }

    private let shell: Mutex<Shell>
    private let ids = Atomic<UInt64>(0)
    /// How long a paused template rests before it is tried again.
    let templateHold: Duration
    /// Since the limiter was made.
    private let time: ElapsedTime
    /// A timer that stands is good enough for what is due this little earlier.
    private static var tick: Duration { .milliseconds(1) }

    /// - Parameter wall: Wall time of now: what is learned carries it from one instance to the other.
    public init<C: Clock>(
        _ configuration: SendLimitsConfiguration = SendLimitsConfiguration(), clock: C, wall: Timestamp = .now
    ) where C.Duration == Duration {
        time = ElapsedTime(clock)
        templateHold = configuration.templateHold
        shell = Mutex(Shell(state: SendLimiterState(configuration, wallAtStart: wall)))
    }

    deinit { shell.withLock { $0.timer?.task.cancel() } }

    /// Waits for its turn, at most `maxWait`. Throws at once when waiting is no use, and when the task is cancelled.
    public func admit(_ admission: SendAdmission) async throws(SendRefusal) -> SendPermit {
        let id = ids.add(1, ordering: .relaxed).newValue
        // Most need not wait.
        if let outcome = step(asking: id, { $0.state.admit(id, admission, at: $1) }) { return try outcome.get() }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                let decided = shell.withLock { shell in
                    let decided = shell.decided.removeValue(forKey: id)
                    if decided == nil { shell.waiting[id] = continuation }
                    return decided
                }
                if let decided { continuation.resume(returning: decided) }
                // A cancellation before that found nobody waiting.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
        return try outcome.get()
    }

    /// Call right before a message that was let go leaves, when anything may have stood still since then: what was let go
    /// one by one must not leave all at once. Throws when the task is cancelled.
    public func awaitDeparture(number: String) async throws(SendRefusal) {
        let (slot, now) = shell.withLock { shell in
            let now = time.now
            return (shell.state.departure(number, at: now), now)
        }
        var rest = slot.at - now
        while rest >= Self.tick {
            do { try await time.sleep(for: rest) } catch { throw SendRefusal(.cancelled) }
            // This process may have stood still, and others have woken, too.
            rest = shell.withLock { shell in shell.state.rest(of: slot, number, at: time.now) }
        }
    }

    // MARK: What it must be told

    /// How many partitions of all this instance owns; after every assignment. None at first.
    public func setShare(owned: Int, of total: Int) {
        precondition(owned >= 0 && total > 0 && owned <= total, "a share is a part of the whole")
        step { $0.state.setShare(Double(owned) / Double(total), at: $1) }
    }

    /// Replaces what is configured. A ceiling that the platform told stays.
    public func setNumbers(_ numbers: [SendingNumber]) { step { $0.state.setNumbers(numbers, at: $1) } }

    /// Inbound messages of an owned partition: a number's limit counts both directions together ("Throughput").
    public func countInbound(number: String, _ count: Int = 1) {
        step { shell, now in
            shell.state.inbound(number, count, at: now)
            return []
        }
    }

    /// A message that the API had accepted was refused later, by a `failed` status.
    ///
    /// - Parameter acceptedAt: by our clock, or when the status was made where that is not known: of what led to the
    ///   last cut or hold it says nothing new.
    public func refusedLater(_ error: ClassifiedError, number: String, pair: String, acceptedAt: Timestamp) {
        step { $0.state.refusedLater(error, number: number, pair: pair, acceptedAt: acceptedAt, at: $1) }
    }

    /// Whether it takes a status to end the number's hold, because statuses have told of it: then tell `arrived`.
    public func awaitsStatus(number: String) -> Bool { shell.withLock { $0.state.awaitsStatus(number) } }

    /// A message, accepted then by our clock, has got a status that is no refusal.
    public func arrived(number: String, acceptedAt: Timestamp) {
        step { $0.state.arrived(number, acceptedAt: acceptedAt, at: $1) }
    }

    /// What the platform says the number may send, e.g. 1,000 a second after `THROUGHPUT_UPGRADE`.
    public func ceilingChanged(number: String, to rate: Double, at time: Timestamp) {
        guard rate > 0 else { return }
        step { shell, now in
            let since = min(time - shell.state.wallAtStart, now)
            return shell.state.ceilingChanged(number, to: rate, since: since, at: now)
        }
    }

    /// The platform paused a template of the account, by event.
    public func pauseTemplate(_ template: String, account: String) {
        step { shell, now in
            shell.state.pauseTemplate(shell.state.templateKey(template, account: account), at: now)
            return []
        }
    }

    /// The platform approved a template of the account again.
    public func resumeTemplate(_ template: String, account: String) {
        step { shell, _ in
            shell.state.templates[shell.state.templateKey(template, account: account)] = nil
            return []
        }
    }

    /// Somebody has acted on a held number (a new key, a paid invoice).
    public func resume(number: String) { step { $0.state.resume(number, at: $1) } }

    /// Takes over what an instance has learned.
    public func learn(_ limit: LearnedLimit) { step { $0.state.learn(limit, at: $1) } }

    /// What was learned here since the last call; to be written where every instance reads it.
    public func learned() -> [LearnedLimit] {
        shell.withLock { shell in
            defer { shell.state.learned = [:] }
            return shell.state.learned.values.sorted { $0.key < $1.key }
        }
    }

    public func snapshot() -> SendLimiterSnapshot {
        let now = time.now
        return shell.withLock { shell in
            let lanes = shell.state.lanes
            return SendLimiterSnapshot(
                waiting: shell.state.waiters.count, inFlight: shell.state.flights.count,
                heldNumbers: lanes.numbers.filter { lanes[$0]?.hold != nil }.sorted(),
                pausedTemplates: shell.state.templates.count, pairs: shell.state.pairs.count,
                rates: Dictionary(uniqueKeysWithValues: lanes.numbers.map { ($0, shell.state.rate(of: $0, at: now)) }))
        }
    }

    // MARK: Inside

    fileprivate func report(_ id: UInt64, _ report: SendReport) { step { $0.state.report(id, report, at: $1) } }

    private func cancel(_ id: UInt64) { step { shell, _ in shell.state.cancel(id) } }

    /// Runs one event and does what it decides, outside the lock.
    ///
    /// - Returns: what was decided of `asker`, who does not wait yet.
    @discardableResult
    private func step(
        asking asker: UInt64? = nil, _ event: (inout Shell, Duration) -> [SendLimiterState.Decision]
    ) -> Outcome? {
        var own: Outcome?
        var ended: [(Waiting, Outcome)] = []
        shell.withLock { shell in
            // The time is read inside, so that events see it in order.
            let decisions = event(&shell, time.now)
            setTimer(&shell)
            for decision in decisions {
                let outcome = outcome(of: decision)
                if decision.id == asker {
                    own = outcome
                } else if let waiting = shell.waiting.removeValue(forKey: decision.id) {
                    ended.append((waiting, outcome))
                } else {
                    shell.decided[decision.id] = outcome
                }
            }
        }
        for (waiting, outcome) in ended { waiting.resume(returning: outcome) }
        return own
    }

    private func outcome(of decision: SendLimiterState.Decision) -> Outcome {
        switch decision {
        case .go(let id): .success(SendPermit(id, self))
        case .refuse(_, let refusal): .failure(refusal)
        }
    }

    private func setTimer(_ shell: inout Shell) {
        guard let wake = shell.state.nextWake else { return }
        if let timer = shell.timer {
            if timer.at <= wake + Self.tick { return }
            timer.task.cancel()
        }
        let task = Task { [weak self, time] in
            do { try await time.sleep(until: wake) } catch { return }
            self?.timerFired(wake)
        }
        shell.timer = (wake, task)
    }

    /// - Parameter wake: What it was set to. A clock may wake a moment early; `step` then sets a timer for the rest.
    private func timerFired(_ wake: Duration) {
        step { shell, now in
            // Another timer may have taken the place of the one that fired; then it stays.
            if shell.timer?.at == wake { shell.timer = nil }
            return shell.state.poll(at: now)
        }
    }
}

/// Leave to send one message. Report how it ended, once; a permit that nobody holds any more counts as `.noAnswer`.
public final class SendPermit: Sendable {
    private let limiter: SendLimiter
    private let id: UInt64
    private let isReported = Atomic(false)

    fileprivate init(_ id: UInt64, _ limiter: SendLimiter) { (self.id, self.limiter) = (id, limiter) }

    deinit { report(.noAnswer) }

    /// Only the first report counts.
    public func report(_ report: SendReport) {
        if !isReported.exchange(true, ordering: .relaxed) { limiter.report(id, report) }
    }
}

/// How a limiter stands, for metrics. A number that is held needs somebody.
public struct SendLimiterSnapshot: Sendable, Hashable {
    public var waiting: Int
    public var inFlight: Int
    /// `phone_number_id`s.
    public var heldNumbers: [String]
    public var pausedTemplates: Int
    public var pairs: Int
    /// This instance's messages a second, by `phone_number_id`.
    public var rates: [String: Double]
}
