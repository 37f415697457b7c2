import Foundation
import Subprocess
import SystemPackage
import Testing

/// `deploy/local kill`, short: the oracle's verdict on real processes that are killed. The whole is 100 kills.
@Suite struct KillOracleTests {
    @Test func theOracleHoldsWhileWorkersAreKilled() async throws {
        let result = try await Subprocess.run(
            .path(FilePath("\(Fleet.programs)/millrace-bench")),
            arguments: ["kill", "--kills", "4", "--rate", "100", "--seed", "1"], output: .string(limit: 1 << 20))
        let output = result.standardOutput
        #expect(result.terminationStatus.isSuccess, "\(output)")
        #expect(output.contains("verdict: held · seed 1"), "\(output)")
    }
}
