import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct KeyQueuesTests {
    @Test func aBusyKeyIsNotHandedOutAgain() {
        var queues = KeyQueues(isOrdered: false)
        queues.append([Work(.at(0, key: "a"))])
        queues.append([Work(.at(1, key: "a"))])
        queues.append([Work(.at(2, key: "b"))])
        let first = queues.begin()
        #expect(first == .bytes(Array("a".utf8)))
        let (a, b) = (RecordKey.bytes(Array("a".utf8)), RecordKey.bytes(Array("b".utf8)))
        var taken = [queues.next(a)]
        let second = queues.begin()
        #expect(second == b)
        taken.append(queues.next(b))
        let none = queues.begin()
        #expect(none == nil)
        queues.end(a)
        let again = queues.begin()
        #expect(again == a)
        taken.append(queues.next(a))
        #expect(taken.map(\.?.record.offset) == [0, 2, 1])
    }

    @Test func recordsOfOneKeyMeetAcrossTopicsAndThoseWithoutKeyDoNot() {
        var queues = KeyQueues(isOrdered: false)
        queues.append([Work(.at(0, key: "a", topic: "t"))])
        queues.append([Work(.at(0, key: "a", topic: "u"))])
        queues.append([Work(.at(1))])
        queues.append([Work(.at(2))])
        let keys = (0..<4).map { _ in queues.begin() }
        #expect(Set(keys.prefix(3)).count == 3 && !keys.prefix(3).contains(nil))
        #expect(keys[3] == nil)
    }

    @Test func whatIsPutBackComesFirst() {
        var queues = KeyQueues(isOrdered: true)
        for offset: Offset in 2..<4 { queues.append([Work(.at(offset, key: "a"))]) }
        queues.prepend([Work(.at(0, key: "b")), Work(.at(1, key: "c"))])
        let key = queues.begin()
        #expect(key == .lane)
        var order: [Offset] = []
        while let work = queues.next(.lane) { order.append(work.record.offset) }
        #expect(order == [0, 1, 2, 3])
        queues.end(.lane)
        let none = queues.begin()
        #expect(none == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func everyKeyIsAFifoAndNothingIsForgotten(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queues = KeyQueues(isOrdered: false)
        var expected: [RecordKey: [Offset]] = [:]
        var busy: [RecordKey] = []
        var next: Offset = 0
        for step in 0..<600 {
            switch step < 400 ? Int.random(in: 0..<4, using: &random) : 3 {
            case 0, 1:
                let record = StoredRecord.at(next, key: ["a", "b", "c", "d"].randomElement(using: &random))
                queues.append([Work(record)])
                expected[RecordKey(record), default: []].append(next)
                next += 1
            case 2:
                guard let key = queues.begin() else { continue }
                #expect(!busy.contains(key), "seed \(seed)")
                busy.append(key)
            default:
                if busy.isEmpty, let key = queues.begin() { busy.append(key) }
                guard let key = busy.randomElement(using: &random) else { continue }
                let work = queues.next(key)
                #expect(work?.record.offset == expected[key]?.first, "seed \(seed)")
                if work != nil { expected[key]?.removeFirst() }
                queues.end(key)
                busy.removeAll { $0 == key }
            }
        }
        for key in busy { queues.end(key) }
        while let key = queues.begin() {
            while let work = queues.next(key) {
                let wanted = expected[key]?.removeFirst()
                #expect(wanted == work.record.offset, "seed \(seed)")
            }
            queues.end(key)
        }
        #expect(!expected.values.contains { !$0.isEmpty }, "seed \(seed)")
    }
}

extension KeyQueues {
    fileprivate mutating func next(_ key: RecordKey) -> Work? { pop(key, upTo: 1) { _ in true }.first }
}
