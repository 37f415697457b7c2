import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct StartPlanTests {
    @Test func aGroupWithoutCommitBeginsAtItsBirth() {
        let plan = StartPlan(mode: .none, commit: nil, birth: 7, state: nil, low: 3)
        #expect(plan.start == 7 && plan.committed == nil && plan.exceptions.isEmpty && plan.missed == 0)
    }

    @Test func whatRetentionRemovedIsCounted() {
        let commit = Progress(offset: 10, parked: [2, 3, 9])
        let plan = StartPlan(mode: .none, commit: commit, birth: 0, state: nil, low: 12)
        #expect(plan.start == 12 && plan.exceptions.isEmpty && plan.missed == 5)
    }

    @Test func rebuildingWithoutStateBeginsAtTheOldestRecord() {
        let commit = Progress(offset: 10, parked: [8])
        let plan = StartPlan(mode: .rebuiltFromInputs, commit: commit, birth: 0, state: nil, low: 4)
        #expect(plan.start == 4 && plan.silent == commit)
    }

    /// For each record: handled if and only if the mode wants it, silently if and only if the group has finished it.
    @Test(arguments: 0..<200 as Range<UInt64>, [StateMode.none, .rebuiltFromInputs, .local, .surviving(.all)])
    func everyRecordIsHandledAsItsModeWants(seed: UInt64, mode: StateMode) {
        var random = SeededGenerator(seed: seed)
        func progress() -> Progress {
            let offset = Offset.random(in: 0...20, using: &random)
            let parked = (0..<offset).filter { _ in Bool.random(using: &random) }
            return Progress(offset: offset, parked: OffsetSet(parked))
        }
        let (group, state) = (progress(), progress())
        let plan = StartPlan(mode: mode, commit: group, birth: 0, state: mode == .none ? nil : state, low: 0)
        for offset: Offset in 0..<25 {
            let isHandled = offset >= plan.start || plan.exceptions.contains(offset)
            let wanted =
                switch mode {
                case .none: !group.hasFinished(offset)
                case .rebuiltFromInputs: !state.hasFinished(offset)
                case .local, .surviving: !group.hasFinished(offset) && !state.hasFinished(offset)
                }
            #expect(isHandled == wanted, "seed \(seed), offset \(offset)")
            let isSilent = plan.silent?.hasFinished(offset) ?? false
            #expect(isSilent == (mode == .rebuiltFromInputs && group.hasFinished(offset)))
        }
        #expect(plan.missed == 0)
    }
}
