import EventLog
import EventLogTesting
import Testing

@Suite struct ProgressTests {
    @Test func withoutExceptionsTheNoteIsEmpty() throws {
        let commit = try #require(Progress(offset: 42).encoded())
        #expect(commit == Commit(offset: 42, metadata: ""))
        #expect(Progress(commit) == Progress(offset: 42))
    }

    @Test func theNoteReadsAsItsDocumentationSays() {
        let progress = Progress(offset: 100, parked: OffsetSet([85, 86, 87, 64]), attempted: OffsetSet([59]))
        #expect(progress.encoded()?.metadata == "mr1 p=12+3,20 a=40")
        let inFlight = Progress(offset: 100, attempted: OffsetSet([59, 100, 106, 107]))
        #expect(inFlight.encoded()?.metadata == "mr1 a=40 u=0,5+2")
    }

    @Test func triesAreToldByTheirPlaceAmongTheParked() throws {
        var progress = Progress(offset: 100, parked: OffsetSet([85, 86, 87, 64]))
        progress.tries = [87: .init(attempts: 3, seconds: 40), 64: .init(attempts: 1, seconds: 0)]
        #expect(progress.encoded()?.metadata == "mr1 p=12+3,20 t=0.3.40,2.1.0")
        #expect(Progress(try #require(progress.encoded())) == progress)
        progress.tries[64]?.effects = .init(count: 5, seconds: 12)
        #expect(progress.encoded()?.metadata == "mr1 p=12+3,20 t=0.3.40,2.1.0.5.12")
        #expect(Progress(try #require(progress.encoded())) == progress)
        (progress.tries, progress.triesAreComplete) = ([:], false)
        #expect(progress.encoded()?.metadata == "mr1 p=12+3,20 t=~")
        #expect(Progress(try #require(progress.encoded())) == progress)
        // Of a record that is not parked there is nothing to tell.
        #expect(Progress(offset: 9, tries: [3: .init(attempts: 1, seconds: 1)]).encoded()?.metadata == "")
    }

    @Test(arguments: ["t=9.1.1", "t=0.1", "t=0.-1.5", "t=x", "t=0.1.99999999999999999999", "t=100001.1.1", "t=0.1.1.1"])
    func triesThatCannotBeReadAreUnknown(word: String) {
        let progress = Progress(Commit(offset: 10, metadata: "mr1 p=0+3 \(word)"))
        #expect(progress.parked == OffsetSet([7, 8, 9]))
        #expect(progress.tries.isEmpty && !progress.triesAreComplete)
    }

    /// A run that reaches across the offset is written in two parts and read as one.
    @Test func marksMayReachAcrossTheOffset() throws {
        let progress = Progress(offset: 100, attempted: OffsetSet(98..<103))
        let commit = try #require(progress.encoded())
        #expect(commit.metadata == "mr1 a=0+2 u=0+3")
        #expect(Progress(commit) == progress)
        let atZero = Progress(offset: 0, attempted: OffsetSet([0, 4]))
        #expect(Progress(try #require(atZero.encoded())) == atZero)
    }

    @Test(arguments: UInt64(1)...50) func survivesTheRoundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let offset = Offset.random(in: 1...5_000_000_000, using: &random)
        func someOffsets() -> OffsetSet {
            let reach = min(offset, 400)
            return OffsetSet(
                (0..<Int.random(in: 0...60, using: &random)).map { _ in
                    offset - Offset.random(in: 1...reach, using: &random)
                })
        }
        let inFlight = OffsetSet(someOffsets().map { 2 * offset - $0 - 1 })
        var progress = Progress(offset: offset, parked: someOffsets(), attempted: someOffsets())
        progress.attempted.formUnion(inFlight)
        for offset in progress.parked where Bool.random(using: &random) {
            progress.tries[offset] = .init(
                attempts: Int.random(in: 0...30, using: &random), seconds: Int64.random(in: 0...9_999, using: &random))
        }
        progress.triesAreComplete = progress.parked.isEmpty || Bool.random(using: &random)
        let commit = try #require(progress.encoded())
        #expect(commit.offset == offset)
        #expect(Progress(commit) == progress)
    }

    @Test func reachesFromZeroToTheOffsetItself() throws {
        let whole = Progress(offset: 10, parked: OffsetSet(Offset(0)..<10), attempted: OffsetSet([0, 9]))
        #expect(Progress(try #require(whole.encoded())) == whole)
    }

    /// Every second offset parked is the form that needs most: two bytes each. One more than fits is refused, and what
    /// fits is read back whole.
    @Test func fillsTheNoteToItsLastByteAndNoFurther() throws {
        func alternating(_ count: Offset) -> Progress {
            Progress(offset: 10_000, parked: OffsetSet((1...count).map { 10_000 - 2 * $0 }))
        }
        // "mr1 p=" and count times "1," less the last comma: 6 + 2 · count - 1.
        let fits = try #require(alternating(2_045).encoded())
        #expect(fits.metadata.utf8.count == 4_095)
        #expect(Progress(fits) == alternating(2_045))
        #expect(alternating(2_046).encoded() == nil)
    }

    @Test(arguments: [
        "", "hello", "mr1", "mr2 p=1", "p=1", "mr1 p=", "mr1 p=,,", "mr1 p=x", "mr1 p=-1", "mr1 p=1+0", "mr1 p=1+-5",
        "mr1 p=101", "mr1 p=0+101", "mr1 p=9223372036854775807", "mr1 p=1+9223372036854775807",
        "mr1 p=99999999999999999999", "mr1 p=1+99999999999999999999", "mr1 z=1", "mr1 \u{0} p", "mr1 p", "mr1 =",
        "mr1 u=", "mr1 u=x", "mr1 u=-1", "mr1 u=1+0", "mr1 u=9223372036854775807", "mr1 u=1+9223372036854775807",
        "mr1 u=9223372036854775706",
    ])
    func aNoteThatIsNotOursMeansNoExceptions(note: String) {
        #expect(Progress(Commit(offset: 100, metadata: note)) == Progress(offset: 100))
    }

    @Test func aDamagedListKeepsWhatCameBeforeTheDamage() {
        let progress = Progress(Commit(offset: 100, metadata: "mr1 p=1+2,x,3 a=0"))
        #expect(progress == Progress(offset: 100, parked: OffsetSet([97, 98]), attempted: OffsetSet([99])))
    }

    /// A note is read from a broker: nothing in it may crash its reader or name offsets outside of the partition.
    @Test(arguments: UInt64(1)...200) func noNoteNamesOffsetsOutsideOfThePartition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let letters = Array("mr1 pa=+,0123456789-")
        let offset = Offset.random(in: 0...200, using: &random)
        let noise = String((0..<Int.random(in: 0...60, using: &random)).map { _ in letters.randomElement(using: &random)! })
        let progress = Progress(Commit(offset: offset, metadata: "mr1 p=" + noise))
        for set in [progress.parked, progress.attempted] {
            #expect(set.allSatisfy { (0..<offset).contains($0) }, "\(noise)")
        }
        let above = Progress(Commit(offset: offset, metadata: "mr1 u=" + noise)).attempted
        #expect(above.ranges.allSatisfy { $0.lowerBound >= offset }, "\(noise)")
    }
}
