import EventLog
import Logging
import ServiceLifecycle

/// The two loops: one watches the times, the other empties the spill.
extension SpillingProducer {
    /// Watches and drains until graceful shutdown, then closes the spill. What it still holds is sent by the next one
    /// that opens it. Stop those who send before.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.watch() }
                group.addTask { await self.drain() }
            }
        }
        await close()
    }

    private func watch() async {
        var reporter = SpillReporter(configuration)
        var looks = 0
        var diskFree: Int64 = 0
        repeat {
            // A second between looks at the disk, a local one by all that is said of it, so that the call does not wait;
            // the counted bound is what usually holds.
            if looks % 20 == 0 {
                diskFree = await store.lookAtDisk()
                state.withLock { [diskFree] in $0.looked(atDisk: diskFree - configuration.minFreeBytes) }
            }
            looks += 1
            let now = clock.now
            event { $0.sweep(now: now) }
            let seen = state.withLock {
                SpillLook(totals: $0.totals, lanes: $0.spillingLanes, isSpilling: $0.isSpilling, diskFree: diskFree)
            }
            reporter.look(at: seen, now)
        } while await pause(configuration.sweepInterval)
    }

    private func drain() async {
        var interval = configuration.sweepInterval
        // When an emptied spill gives its disk back; at the start what another process left.
        var shrinkAt: Duration? = .zero
        while await pause(interval) {
            // Soon again while there is something to do; a pause all the same, so that trims come in groups.
            if await drainOnce() {
                interval = .milliseconds(2)
                shrinkAt = clock.now + Self.calm
            } else {
                interval = configuration.sweepInterval
                if let at = shrinkAt, clock.now >= at, state.withLock(\.isEmpty) {
                    shrinkAt = await store.shrink() ? nil : clock.now + Self.calm
                }
            }
        }
    }

    /// A log that is slow now and then empties the spill again and again: its file need not follow each time.
    private static var calm: Duration { .seconds(1) }

    /// Sends a part of every lane that is ready, and removes what is acknowledged. False when there was nothing to do.
    func drainOnce() async -> Bool {
        var hasWorked = false
        for _ in 0..<store.lanes.count {
            guard let step = state.withLock({ $0.takeStep() }) else { break }
            hasWorked = true
            await take(step)
        }
        return await trim() || hasWorked
    }

    /// Removes what is acknowledged from the spill. False when there was nothing, or the disk fails.
    private func trim(isLast: Bool = false) async -> Bool {
        if !isLast, trimming.withLock({ $0.retryAt > clock.now }) { return false }
        var rest = state.withLock(\.trims)
        if rest.isEmpty { return false }
        do throws(LogError) {
            while !rest.isEmpty {
                let step = try await store.removeSome(rest)
                event { $0.trimmed(step.low, bytes: step.bytes) }
                rest = step.rest
            }
        } catch {
            store.giveUpReserve()
            if trimming.withLock({ $0.failed(at: clock.now) }) {
                configuration.logger.error(
                    "The spill cannot be trimmed; what was sent stays in it, and is sent again after a restart",
                    metadata: ["log.error": "\(error)"])
            }
            return false
        }
        if let failures = trimming.withLock({ $0.ended() }) {
            configuration.logger.notice("The spill is trimmed again", metadata: ["spill.failures": "\(failures)"])
        }
        return true
    }

    private func take(_ step: SpillState.Step) async {
        do throws(LogError) {
            let (records, end) = try await store.read(step.lane, from: step.from, maxRecords: step.maxRecords)
            let token = state.withLock { $0.stepRead(step, records, upTo: end) }
            handOver(records, token, step.lane)
            event { $0.stepHandedOver(step.lane) }
        } catch {
            configuration.logger.error(
                "The spill cannot be read",
                metadata: ["spill.lane": "\(store.lanes[step.lane])", "log.error": "\(error)"])
            event { $0.stepFailed(step.lane) }
        }
    }

    /// False when it is time to end.
    private func pause(_ time: Duration) async -> Bool {
        do {
            try await clock.sleep(for: time)
            return true
        } catch {
            return false
        }
    }

    /// Waits a little for the log's word on what is in flight, so that the next start has less to send again.
    func close() async {
        let deadline = ContinuousClock.now + configuration.closeTimeout
        while state.withLock({ $0.totals.inFlightRecords }) > 0, ContinuousClock.now < deadline {
            // In a task of its own: this one may be cancelled, and a cancelled sleep does not wait.
            await Task { try? await Task.sleep(for: .milliseconds(10)) }.value
        }
        _ = await trim(isLast: true)
        await store.close()
    }
}

/// What was sent cannot be removed, as on a full disk: tried again less and less often, and told at begin and end.
struct TrimTrouble {
    private(set) var failures = 0
    private(set) var retryAt: Duration = .zero

    /// True for the first of them.
    mutating func failed(at now: Duration) -> Bool {
        failures += 1
        retryAt = now + min(.seconds(1), .milliseconds(25 << min(failures, 6)))
        return failures == 1
    }

    /// How many there were; nil without any.
    mutating func ended() -> Int? {
        defer { self = TrimTrouble() }
        return failures > 0 ? failures : nil
    }
}
