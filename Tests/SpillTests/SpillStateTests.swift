import EventLog
import Testing

@testable import Spill

/// Moments that the simulation meets too seldom.
@Suite struct SpillStateTests {
    /// Between reading a part of the spill and handing it over, a later record must not go to the log directly.
    @Test func nothingOvertakesAPartThatIsReadAndNotHandedOver() throws {
        let call = SpillCall(parts: 9) { _ in }
        var state = SpillState(configuration: SpillConfiguration(), holding: [0..<2], records: 2, bytes: 200)
        let firstStep = state.takeStep()
        let first = try #require(firstStep)
        let token = state.stepRead(first, [record("1")], upTo: 1)
        state.stepHandedOver(0)
        state.reported(token, in: 0, nil)
        // The log has answered. A new record is being spilled while the last of the old ones is read.
        _ = state.admit([record("3")], bytes: 1, to: 0, for: call)
        let (appends, lastStep) = (state.takeAppends(), state.takeStep())
        let (append, last) = try (#require(appends.first), #require(lastStep))
        #expect(last.maxRecords == 1)
        _ = state.stepRead(last, [record("2")], upTo: 2)
        state.appended(append, .failure(LogError(.storage, "full")))
        guard case .spilled = state.admit([record("4")], bytes: 1, to: 0, for: call) else {
            Issue.record("the record overtakes the one that was read")
            return
        }
    }

    /// What is handed to the log is bounded below the producer's own bound, whose refusals would let records overtake.
    @Test func aFullLogSendsNewRecordsToTheSpill() {
        let call = SpillCall(parts: 9) { _ in }
        var configuration = SpillConfiguration()
        configuration.maxInFlightRecords = 2
        var state = SpillState(configuration: configuration, holding: [0..<0, 0..<0], records: 0, bytes: 0)
        for lane in [0, 1] {
            guard case .handOver = state.admit([record("a")], bytes: 1, to: lane, for: call) else {
                Issue.record("there is room")
                return
            }
        }
        guard case .spilled = state.admit([record("b")], bytes: 1, to: 0, for: call) else {
            Issue.record("more than the bound is in flight")
            return
        }
        // The copy of what the lane has in flight comes first.
        let appends = state.takeAppends()
        #expect(appends.map { $0.records.map(\.text) } == [["a"], ["b"]])
    }
}
