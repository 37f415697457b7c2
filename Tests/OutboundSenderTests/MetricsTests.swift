import D360
import EventLog
import Processing
import Telemetry
import Testing
import WhatsApp

@testable import outbound_sender

@Suite struct MetricsTests {
    @Test func endsAreCountedByOutcomeErrorAndMaskedNumber() async throws {
        let registry = PrometheusRegistry()
        let held = ClassifiedError(code: 131_042, httpStatus: 400, errorClass: .hold, meaning: "no credit")
        let invalid = ClassifiedError(code: 131_026, httpStatus: 400, errorClass: .permanent, meaning: "undeliverable")
        let sender = ScriptedSender([
            .accepted(try Sample.receipt()), .rejected(invalid), .unknown(.cut), .retry(held),
        ])
        let scene = SenderScene(Sample.processor(sender, metrics: SenderMetrics(factory: registry)))
        _ = try await scene.results(try Sample.command("c1"))
        let refused = try Sample.command("c2")
        let failure = try #require(await scene.handle(refused).failure)
        _ = try await scene.buried(refused, failure)
        _ = await scene.handle(try Sample.command("c3"))
        _ = await scene.handle(try Sample.command("c4"))
        let text = registry.text()
        #expect(text.contains("whatsapp_outbound_results_total{number=\"…700\",outcome=\"accepted\"} 1\n"))
        #expect(
            text.contains("whatsapp_outbound_results_total{number=\"…700\",outcome=\"rejected\",error_type=\"131026\"} 1\n"))
        #expect(text.contains("whatsapp_command_age_seconds_count{outcome=\"accepted\"} 1\n"))
        #expect(text.contains("whatsapp_commands_in_doubt 1.0\n"))
        #expect(text.contains("whatsapp_numbers_held 1.0\n"))
        #expect(!text.contains("15550001111"))
    }
}
