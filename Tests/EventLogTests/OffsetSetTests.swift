import EventLog
import EventLogTesting
import Testing

@Suite struct OffsetSetTests {
    /// Random inserts and removals, against a plain set that is obviously right.
    @Test(arguments: UInt64(1)...20) func behavesLikeAPlainSet(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var set = OffsetSet()
        var model: Set<Offset> = []
        for _ in 0..<300 {
            let offset = Offset.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                let range = offset..<offset + Offset.random(in: 0..<8, using: &random)
                set.insert(range)
                model.formUnion(range)
            case 1:
                set.insert(offset)
                model.insert(offset)
            case 2:
                let range = offset..<offset + Offset.random(in: 0..<8, using: &random)
                set.remove(range)
                model.subtract(range)
            default:
                set.remove(offset)
                model.remove(offset)
            }
            expect(set, equals: model)
            let bounds = offset..<offset + Offset.random(in: 0..<30, using: &random)
            expect(set.clamped(to: bounds), equals: model.filter(bounds.contains))
        }
    }

    @Test func spansCoverNarrowGapsAndNoWideOnes() {
        let set = OffsetSet([1, 2, 5, 16, 17, 100])
        #expect(set.spans(acrossGapsUpTo: 0) == [1..<3, 5..<6, 16..<18, 100..<101])
        #expect(set.spans(acrossGapsUpTo: 10) == [1..<18, 100..<101])
        #expect(set.spans(acrossGapsUpTo: 9) == [1..<6, 16..<18, 100..<101])
        #expect(OffsetSet().spans(acrossGapsUpTo: 10) == [])
    }

    private func expect(_ set: OffsetSet, equals model: Set<Offset>) {
        #expect(Array(set) == model.sorted())
        #expect(set.count == model.count)
        #expect(set.isEmpty == model.isEmpty)
        #expect(set.first == model.min())
        for index in 0..<model.count { #expect(set.member(at: index) == model.sorted()[index]) }
        #expect(set.member(at: model.count) == nil)
        for offset in Offset(-1)...70 { #expect(set.contains(offset) == model.contains(offset), "\(offset)") }
        for (a, b) in zip(set.ranges, set.ranges.dropFirst()) { #expect(a.upperBound < b.lowerBound) }
        #expect(set.ranges.allSatisfy { !$0.isEmpty })
    }

    @Test func joinsNeighbours() {
        #expect(OffsetSet([1, 3, 2]).ranges == [1..<4])
        var set = OffsetSet([1, 5, 9])
        set.insert(2..<9)
        #expect(set.ranges == [1..<10])
    }

    @Test func sameMembersAreEqualWhateverTheOrder() {
        #expect(OffsetSet([7, 1, 2, 9]) == OffsetSet([9, 2, 7, 1]))
    }

    @Test func removingFromTheMiddleSplits() {
        var set = OffsetSet(Offset(0)..<10)
        set.remove(4)
        #expect(set.ranges == [0..<4, 5..<10])
        set.remove(4)
        #expect(set.count == 9)
    }

    @Test func takesOffsetsAsLargeAsALogCanHold() {
        var set = OffsetSet()
        set.insert(Offset.max - 2..<Offset.max)
        set.insert(0)
        #expect(set.ranges == [0..<1, Offset.max - 2..<Offset.max])
        #expect(set.contains(Offset.max - 1))
    }
}
