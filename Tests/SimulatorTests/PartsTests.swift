import EventLog
import Testing
import WhatsApp

@testable import Simulator

@Suite struct PartsTests {
    @Test func histogramPercentilesAreWithinASixteenth() {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == .zero)
        for milliseconds in 1...1_000 { histogram.record(.milliseconds(milliseconds)) }
        for (share, exact) in [(0.5, 500.0), (0.9, 900), (0.99, 990)] {
            let measured = Double(histogram.percentile(share).milliseconds)
            #expect(measured >= exact - 1 && measured <= exact * 17 / 16 + 1)
        }
        #expect(histogram.percentile(1) == .seconds(1))
        histogram.record(.seconds(86_400 * 365))
        #expect(histogram.max == .seconds(86_400 * 365))
        #expect(histogram.percentile(1) == histogram.max)
    }

    @Test func tableForgetsTheOldest() {
        var table = BoundedTable<Int, String>(capacity: 3)
        for key in 0..<3 { _ = table.set(key, "\(key)") }
        let replaced = table.set(1, "one")
        #expect(replaced == nil)
        for key in 3..<20 {
            let forgotten = table.set(key, "\(key)")
            #expect(forgotten?.key == key - 3)
            #expect(table.count == 3)
            #expect(table.all.map(\.key) == [key - 2, key - 1, key])
        }
        let changed = table.change(19) { value in
            value += "!"
            return value
        }
        #expect(changed == "19!")
        #expect(table[19] == "19!")
        let absent = table.change(2) { value in value }
        #expect(absent == nil)
    }

    @Test func queueGivesDeliveriesByTimeThenOrder() {
        var queue = DeliveryQueue(concurrency: 100, limit: 100)
        let start = Timestamp(seconds: 0)
        var random = SplitMix64(seed: 3)
        for index in 0..<100 {
            let taken = queue.reserve(1)
            #expect(taken)
            let due = start + .milliseconds(Int.random(in: 0..<20, using: &random))
            queue.add(Delivery(.message("\(index)"), number: 0, body: [], created: due), due: due)
        }
        let oneMore = queue.reserve(1)
        #expect(!oneMore)
        let none = queue.start(at: start - .milliseconds(1))
        #expect(none.isEmpty)
        let early = queue.start(at: start + .milliseconds(9))
        let late = queue.start(at: start + .milliseconds(20))
        #expect(early.allSatisfy { $0.created <= start + .milliseconds(9) })
        #expect(late.allSatisfy { $0.created > start + .milliseconds(9) })
        let all = (early + late).map { delivery in
            guard case .message(let id) = delivery.event else { return (delivery.created, 0) }
            return (delivery.created, Int(id)!)
        }
        #expect(all.count == 100)
        #expect(zip(all, all.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func idsAreUniqueAndOfTheHostingsShape() {
        var ids = MessageIDs(seed: 1)
        var other = MessageIDs(seed: 2)
        var seen: Set<String> = []
        for _ in 0..<10_000 {
            seen.insert(ids.next(.cloud))
            seen.insert(other.next(.cloud))
        }
        #expect(seen.count == 20_000)
        let id = ids.next(.onPremise)
        #expect(id.hasPrefix("gBEG") && id.utf8.count == 36)
    }
}
