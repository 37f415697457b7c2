import EventLog
import ServiceLifecycle

/// Leaving the group: asked to, or because the runtime cannot go on.
extension ProcessorRuntime {
    func leaveWhenAsked(_ consumer: any Consumer) async {
        do {
            try await gracefulShutdown()
            let lanes = changeLanes { $0.takeAll() }
            await openings.stop()
            await drain(lanes)
        } catch {
            openings.cancel()
            for lane in changeLanes({ $0.takeAll() }) { lane.drop() }
        }
        await consumer.close()
    }

    func drain(_ lanes: [Lane<C>]) async {
        await withDiscardingTaskGroup { group in
            for lane in lanes { group.addTask { await lane.drain() } }
        }
    }

    /// A lane cannot go on for a reason that concerns all: leave, and let `run` throw.
    func fail(_ error: any Error, _ consumer: any Consumer) {
        let lanes = session.withLock { session in
            session.failure = session.failure ?? error
            session.isStopping = true
            return Array(session.lanes.values)
        }
        openings.cancel()
        for lane in lanes { lane.drop() }
        Task { await consumer.close() }
    }
}
