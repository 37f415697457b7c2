import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct OrderKeySetTests {
    /// Few keys in few topics, with and without bytes, against what it stands for.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func knowsItsMembersAndNobodyElse(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var set = OrderKeySet()
        var expected: Set<OrderKey> = []
        for step in 0..<300 {
            let key = ["a", "b", "c", nil].randomElement(using: &random) ?? nil
            let record = StoredRecord.at(Offset.random(in: 0..<3, using: &random), key: key, topic: Bool.random(using: &random) ? "t" : "u")
            #expect(set.contains(record) == expected.contains(OrderKey(record)), "seed \(seed), step \(step)")
            if Bool.random(using: &random) {
                set.insert(OrderKey(record))
                expected.insert(OrderKey(record))
            } else {
                set.remove(OrderKey(record))
                expected.remove(OrderKey(record))
            }
            #expect(set.isEmpty == expected.isEmpty, "seed \(seed), step \(step)")
        }
    }
}
