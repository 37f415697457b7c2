import Synchronization

/// Counts what is handed over and not yet acknowledged, so that a call is taken whole or refused whole.
final class QueueBound: Sendable {
    private let maxRecords: Int
    private let maxBytes: Int
    private let held = Mutex((records: 0, bytes: 0))

    init(maxRecords: Int, maxBytes: Int) {
        self.maxRecords = maxRecords
        self.maxBytes = maxBytes
    }

    func reserve(records: Int, bytes: Int) -> Bool {
        held.withLock { held in
            guard held.records + records <= maxRecords, held.bytes + bytes <= maxBytes else { return false }
            held.records += records
            held.bytes += bytes
            return true
        }
    }

    func release(records: Int, bytes: Int) {
        held.withLock { held in
            held.records -= records
            held.bytes -= bytes
            assert(held.records >= 0 && held.bytes >= 0, "released more than reserved")
        }
    }
}
