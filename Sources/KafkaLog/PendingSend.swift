import CRdKafka
import EventLog
import Synchronization

/// One `send` under way: a slot per record, which librdkafka carries as the record's opaque pointer.
///
/// Slots are written by the sending thread before the record is handed over and by the report thread afterwards,
/// never by both at a time. `unsettled` orders them: whoever takes it to zero owns all slots and finishes the send.
/// The object retains itself until then, because librdkafka holds bare pointers into it.
final class PendingSend: @unchecked Sendable {
    struct Slot {
        unowned(unsafe) let send: PendingSend
        /// The session's, which keeps it for as long as it has reports to come.
        unowned(unsafe) var handle: TopicHandle?
        /// Where it may have to wait, see `TopicHandle.gate(of:)`.
        var gate: Int?
        var partition: Int32 = -1
        var offset: Offset = -1
    }

    enum Completion {
        case positions(@Sendable (Result<[RecordPosition], LogError>) -> Void)
        /// For who does not ask where the records came to lie.
        case word(@Sendable (LogError?) -> Void)
    }

    /// librdkafka reads the values where they lie; it copies all else.
    let records: [Record]
    let byteCount: Int
    private let slots: UnsafeMutablePointer<Slot>
    private let unsettled: Atomic<Int>
    private let failure = Mutex<LogError?>(nil)
    private let completion: Completion

    init(_ records: [Record], byteCount: Int, _ completion: Completion) {
        self.records = records
        self.byteCount = byteCount
        self.completion = completion
        slots = .allocate(capacity: records.count)
        // One more than the records: the sender's own share, so that nothing finishes while it still hands over.
        unsettled = Atomic(records.count + 1)
        for index in records.indices {
            (slots + index).initialize(to: Slot(send: self))
        }
        _ = Unmanaged.passRetained(self)
    }

    deinit {
        slots.deinitialize(count: records.count)
        slots.deallocate()
    }

    func opaque(of index: Int) -> UnsafeMutableRawPointer { UnsafeMutableRawPointer(slots + index) }

    /// The slot librdkafka hands back with a report.
    static func slot(_ opaque: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Slot> {
        opaque.assumingMemoryBound(to: Slot.self)
    }

    /// The first failure is the one the caller hears of.
    func fail(_ error: LogError) {
        failure.withLock { if $0 == nil { $0 = error } }
    }

    /// True when this was the last share: then call `finish()`, exactly once.
    func settle(_ shares: Int = 1) -> Bool {
        unsettled.subtract(shares, ordering: .acquiringAndReleasing).newValue == 0
    }

    func finish() {
        let failure = failure.withLock { $0 }
        switch completion {
        case .word(let answer): answer(failure)
        case .positions(let answer): answer(failure.map { .failure($0) } ?? .success(positions))
        }
        Unmanaged.passUnretained(self).release()
    }

    /// Where the records came to lie, once all are reported.
    private var positions: [RecordPosition] {
        var positions: [RecordPosition] = []
        positions.reserveCapacity(records.count)
        for index in records.indices {
            let slot = slots + index
            positions.append(
                RecordPosition(TopicPartition(records[index].topic, slot.pointee.partition), slot.pointee.offset))
        }
        return positions
    }
}
