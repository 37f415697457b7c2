import EventLog
import Foundation
import Testing

@testable import Processing

/// `MILLRACE_SIMULATION_SEED=17` runs that seed alone; `MILLRACE_SIMULATION_SEEDS=100000` runs so many.
@Suite struct SimulationTests {
    private static var seeds: Range<UInt64> {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["MILLRACE_SIMULATION_SEED"].flatMap({ UInt64($0) }) { return seed..<seed + 1 }
        return 0..<(environment["MILLRACE_SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 1_200)
    }

    /// Whatever crashes, hangs, fails, is fenced, comes late or twice: nothing is lost, no conversation is reordered, no
    /// effect begins a second time without its handler being told, and copies have their causes.
    @Test(arguments: 0..<4)
    func survivesEveryFault(part: UInt64) async {
        var (resent, refused, outages) = (0, 0, 0)
        for seed in Self.seeds where seed % 4 == part {
            var simulation = Simulation(seed: seed)
            await simulation.run()
            resent += simulation.resent
            refused += simulation.marksRefused
            outages += simulation.outages
            #expect(
                simulation.complaints.isEmpty,
                "MILLRACE_SIMULATION_SEED=\(seed): \(simulation.complaints.prefix(3).joined(separator: "; "))")
        }
        // A world in which nothing of the kind happens proves nothing.
        if Self.seeds.count > 100 { #expect(resent > 0 && refused > 0 && outages > 0) }
    }
}

/// The same for state that survives: `MILLRACE_STATE_SEED=17` runs one seed, `MILLRACE_STATE_SEEDS=5000` so many.
@Suite struct StateSimulationTests {
    private static var seeds: Range<UInt64> {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["MILLRACE_STATE_SEED"].flatMap({ UInt64($0) }) { return seed..<seed + 1 }
        return 0..<(environment["MILLRACE_STATE_SEEDS"].flatMap { UInt64($0) } ?? 100)
    }

    /// Every record counts once in the state, whoever died or hung wherever, and on whichever machine it goes on.
    @Test func stateSurvivesEveryFault() async throws {
        var happened: [String: Int] = [:]
        for seed in Self.seeds {
            try await withFolder { folder in
                let simulation = StateSimulation(seed: seed, folder: folder)
                let complaints = await simulation.run()
                happened.merge(simulation.happened.withLock { $0 }, uniquingKeysWith: +)
                #expect(complaints.isEmpty, "MILLRACE_STATE_SEED=\(seed): \(complaints.joined(separator: "; "))")
            }
        }
        if Self.seeds.count >= 100 {
            for what in ["closed", "fenced", "superseded", "hangs"] { #expect(happened[what, default: 0] > 0, "\(what)") }
        }
    }
}
