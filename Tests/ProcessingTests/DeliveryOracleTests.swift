import EventLog
import ProcessorTesting
import Testing

/// The oracle is worth what it finds: each breach, and nothing else.
@Suite struct DeliveryOracleTests {
    private func records(_ numbers: [Int], key: String = "ana", of topic: Topic = "out") -> [StoredRecord] {
        numbers.enumerated().map { offset, number in
            StoredRecord(
                source: TopicPartition(topic, 0), offset: Offset(offset), key: Array(key.utf8),
                value: Array("\(number)".utf8), headers: Headers(), timestamp: Timestamp(seconds: 1))
        }
    }

    private func judged(
        _ outputs: [StoredRecord], deadLetters: [StoredRecord] = [], copiesEach: Int = 0, copiesInAll: Int = .max
    ) -> DeliveryOracle {
        var oracle = DeliveryOracle()
        oracle.judge(0..<4, outputs: outputs, deadLetters: deadLetters, copiesEach: copiesEach, copiesInAll: copiesInAll)
        return oracle
    }

    @Test func aGoodWorldHasNoBreach() {
        let oracle = judged(records([0, 3]) + records([1], key: "bob"), deadLetters: records([2], of: "dlq"))
        #expect(oracle.complaints == [])
        #expect(oracle.copies == 0)
    }

    @Test func aLostRecordIsABreach() {
        #expect(judged(records([0, 1, 3])).complaints == ["2 has neither output nor dead letter"])
    }

    @Test func disorderWithinAKeyIsABreach() {
        #expect(judged(records([0, 2, 1, 3])).complaints == [#"out of order: ["ana"]"#])
        // Another key, or a late copy, is none.
        #expect(judged(records([0, 2]) + records([1, 3], key: "bob")).complaints == [])
        #expect(judged(records([0, 1, 2, 1, 3]), copiesEach: 1).complaints == [])
    }

    @Test func copiesWithoutACauseAreABreach() {
        let outputs = records([0, 1, 2, 3, 3, 3])
        #expect(judged(outputs, copiesEach: 1).complaints == ["3 has 3 outputs"])
        #expect(judged(outputs, copiesEach: 2, copiesInAll: 1).complaints == ["2 copies in all"])
        #expect(judged(outputs, copiesEach: 2, copiesInAll: 2).copies == 2)
    }

    @Test func anOutputWithoutACauseIsABreach() {
        var stray = records([0])[0]
        stray.value = Array("x".utf8)
        #expect(judged(records([0, 1, 2, 3]) + [stray]).complaints == ["an output that no record caused"])
    }

    @Test func anEffectThatBeginsAgainUntoldIsABreach() {
        var oracle = DeliveryOracle()
        oracle.effectBegins(1, wasTold: false)
        oracle.effectBegins(1, wasTold: true)
        #expect(oracle.complaints == [])
        oracle.effectBegins(1, wasTold: false)
        #expect(oracle.complaints == ["the effect of 1 began again without a word"])
        #expect(oracle.effects == [1: 3])
    }

    @Test func anOwnerThatEndsRecordsOfAKeyInDisorderIsABreach() {
        var oracle = DeliveryOracle()
        oracle.ended(2, key: "ana", by: 1)
        oracle.ended(1, key: "ana", by: 2)
        oracle.ended(1, key: "bob", by: 1)
        #expect(oracle.complaints == [])
        oracle.ended(1, key: "ana", by: 1)
        #expect(oracle.complaints == ["1 of ana ended after 2"])
    }
}
