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
        #expect(simulation.state.lanes.allSatisfy { $0.isIdle }, "seed \(seed): not at rest")
        #expect(simulation.state.totals.heldBytes == 0, "seed \(seed)")
        #expect(simulation.state.totals.heldRecords == 0, "seed \(seed)")
        #expect(simulation.state.totals.inFlightBytes == 0, "seed \(seed)")
        var arrived = 0
        for lane in 0..<Simulation.lanes {
            let order = simulation.firstArrivals(lane)
            #expect(order == order.sorted(), "seed \(seed): lane \(lane) is out of order")
            arrived += order.count
        }
        #expect(arrived == simulation.acknowledged.count, "seed \(seed): acknowledged records are not on the log")
        if simulation.crashes == 0 { #expect(simulation.answers == simulation.calls, "seed \(seed): a call without answer") }
    }

    /// The runs meet what they are meant to meet.
    @Test func runsSpillDrainRefuseAndCrash() {
        var spilled = 0
        var drained = 0
        var refused = 0
        var crashes = 0
        var acknowledged = 0
        for seed in 0..<30 {
            let simulation = Simulation(seed: UInt64(seed), maxBytes: seed % 3 == 0 ? 4_000 : 1 << 20)
            for _ in 0..<4_000 { simulation.step() }
            spilled += simulation.state.totals.spilled
            drained += simulation.state.totals.drained
            refused += simulation.state.totals.refused
            crashes += simulation.crashes
            acknowledged += simulation.acknowledged.count
        }
        #expect(spilled > 100 && drained > 100 && refused > 10 && crashes > 10 && acknowledged > 10_000)
    }
}
