import EventLog
import Testing

@testable import Spill

@Suite struct SimulationTests {
    /// Nothing acknowledged is lost, and each lane's records reach the log in order, whatever happens.
    @Test(arguments: 0..<300) func acknowledgedRecordsReachTheLogInOrder(seed: UInt64) {
        // Every third run has a spill that is often full.
        let simulation = Simulation(seed: seed, maxBytes: seed % 3 == 0 ? 4_000 : 1 << 20)
        for _ in 0..<4_000 { simulation.step() }
        simulation.settle()
        let totals = simulation.state.totals
        #expect(simulation.faults.isEmpty, "seed \(seed): \(simulation.faults)")
        #expect(simulation.state.lanes.allSatisfy { $0.isIdle }, "seed \(seed): not at rest")
        #expect(totals.heldBytes == simulation.rejectedBytes, "seed \(seed)")
        #expect(totals.heldRecords == 0 && totals.inFlightBytes == 0 && totals.inFlightRecords == 0, "seed \(seed)")
        for lane in 0..<Simulation.lanes {
            let order = simulation.firstArrivals(lane)
            #expect(order == order.sorted(), "seed \(seed): lane \(lane) is out of order")
        }
        #expect(simulation.acknowledged.isSubset(of: simulation.kept), "seed \(seed): acknowledged records are lost")
        #expect(simulation.unanswered == 0, "seed \(seed): a call without answer")
    }

    /// A log that is slow and loses nothing gets nothing twice, and while it is silent everybody is answered.
    @Test(arguments: 0..<100) func aSilentLogCostsNeitherCopiesNorAnswers(seed: UInt64) {
        let simulation = Simulation(seed: seed, maxBytes: 64 << 20, hardship: .onlySilence)
        for _ in 0..<4_000 { simulation.step() }
        #expect(simulation.answersAllInSilence(), "seed \(seed): a call without answer")
        simulation.settle()
        let names = simulation.stored.joined().map(Simulation.name)
        #expect(names.count == Set(names).count, "seed \(seed): copies")
        #expect(simulation.state.lanes.allSatisfy { $0.isIdle }, "seed \(seed): not at rest")
    }

    /// The runs meet what they are meant to meet.
    @Test func runsSpillDrainRefuseRejectAndCrash() {
        var totals = SpillTotals()
        var (rejected, crashes, acknowledged) = (0, 0, 0)
        for seed in 0..<30 {
            let simulation = Simulation(seed: UInt64(seed), maxBytes: seed % 3 == 0 ? 4_000 : 1 << 20)
            for _ in 0..<4_000 { simulation.step() }
            totals.spilled += simulation.state.totals.spilled
            totals.drained += simulation.state.totals.drained
            totals.refused += simulation.state.totals.refused
            totals.held += simulation.state.totals.held
            rejected += simulation.rejected.count + simulation.taken.count
            crashes += simulation.crashes
            acknowledged += simulation.acknowledged.count
        }
        #expect(totals.spilled > 100 && totals.drained > 100 && totals.refused > 10 && totals.held > 10)
        #expect(rejected > 30 && crashes > 10 && acknowledged > 1_000)
    }
}
