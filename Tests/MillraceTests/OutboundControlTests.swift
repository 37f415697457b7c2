import EventLog
import Testing
import WhatsApp

@testable import SendLimits
@testable import millrace

@Suite struct OutboundControlTests {
    @Test func theLastWordOnCampaignsCounts() async throws {
        try await LogWorld.with { world in
            let topics = Topics(partitions: 3)
            try await world.log.admin.createTopics(topics.specs(groups: []))
            func last() async throws -> BulkPause? { try await OutboundControl.last(world.log, topics) }
            #expect(try await last() == nil)
            for (second, isPaused) in [true, false, true].enumerated() {
                let pause = BulkPause(isPaused: isPaused, at: LogWorld.written + .seconds(Double(second)))
                _ = try await world.log.produce([pause.record(topic: topics.sendLimits)])
                #expect(try await last() == pause)
            }
        }
    }

    @Test func onlyCampaignsCanBePaused() throws {
        #expect(throws: Never.self) { try OutboundControl.Pause.parse(["bulk"]) }
        #expect(throws: (any Error).self) { try OutboundControl.Pause.parse(["replies"]) }
        #expect(BulkPause(value: Array(#"{"scope":"number","paused":true,"at":1}"#.utf8)) == nil)
        #expect(BulkPause(value: Array(#"{"scope":"bulk","paused":1,"at":1}"#.utf8)) == nil)
    }
}
