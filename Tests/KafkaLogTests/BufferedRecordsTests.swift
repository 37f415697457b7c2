import EventLog
import Testing

@testable import KafkaLog

/// What a consumer holds between librdkafka and its caller.
@Suite struct BufferedRecordsTests {
    private let a = TopicPartition("t", 0)
    private let b = TopicPartition("t", 1)

    private func chunk(_ source: TopicPartition, _ offsets: Range<Offset>) -> Intake.Chunk {
        let records = offsets.map {
            StoredRecord(
                source: source, offset: $0, key: nil, value: [1], headers: Headers(), timestamp: Timestamp(milliseconds: 0))
        }
        return Intake.Chunk(source: source, records: records, bytes: records.reduce(0) { $0 + Intake.Chunk.cost($1.byteCount) })
    }
    private func take(_ buffer: inout BufferedRecords) -> [Offset]? {
        guard case .records(_, let records) = buffer.take() else { return nil }
        return records.map(\.offset)
    }

    @Test func aPausedPartitionKeepsItsRecordsAndItsOrder() {
        var buffer = BufferedRecords(maxBatchRecords: 2)
        buffer.append(chunk(a, 0..<2))
        buffer.append(chunk(b, 0..<2))
        buffer.setPaused(a, true)
        buffer.append(chunk(a, 2..<4))
        let whilePaused = [take(&buffer), take(&buffer)]
        #expect(whilePaused == [[0, 1], nil])
        #expect(buffer.bytes == chunk(a, 0..<4).bytes)
        buffer.setPaused(a, false)
        let after = [take(&buffer), take(&buffer), take(&buffer)]
        #expect(after == [[0, 1], [2, 3], nil])
        #expect(buffer.bytes == 0)
    }

    @Test func whatIsDroppedIsToldByItsFirstOffset() {
        var buffer = BufferedRecords(maxBatchRecords: 10)
        buffer.setPaused(a, true)
        buffer.append(chunk(a, 5..<9))
        let first = buffer.removeRecords(of: a)
        #expect(first == 5 && buffer.bytes == 0)
        let again = buffer.removeRecords(of: a)
        #expect(again == nil)
        buffer.setPaused(a, false)
        let nothing = take(&buffer)
        #expect(nothing == nil)
    }

    @Test func smallChunksAreFilledUpToABatch() {
        var buffer = BufferedRecords(maxBatchRecords: 3)
        for offset: Offset in 0..<5 { buffer.append(chunk(a, offset..<offset + 1)) }
        let batches = [take(&buffer), take(&buffer)]
        #expect(batches == [[0, 1, 2], [3, 4]])
    }
}
