import KafkaLog
import Spill
import Testing

@testable import Service

@Suite struct StopBudgetTests {
    /// All parts one after the other, each at its longest, end within what is promised.
    @Test(arguments: [0, 2_500, 5_000, 10_000]) func theStopEndsInTimeWhateverTheDelay(drainMs: Int) {
        let budget = StopBudget(drainDelay: .milliseconds(drainMs))
        // A delivery that is taken at the last moment is answered by the ingress's deadline, at most 4.5 s.
        #expect(budget.requests >= .milliseconds(4_500))
        let services = budget.drainDelay + budget.requests + SpillConfiguration().closeTimeout
        #expect(services < StopBudget.services)
        #expect(StopBudget.services + KafkaLogConfiguration().closeTimeout < StopBudget.total)
    }
}
