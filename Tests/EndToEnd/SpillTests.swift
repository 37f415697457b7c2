import Foundation
import Spill
import Testing

/// The ingress is never the reason: with Kafka gone it answers from its spill, and nothing answered is lost or reordered.
///
/// The load is small by default, for a debug build on a busy machine. `MILLRACE_SPILL_RATE` (webhooks per second),
/// `MILLRACE_SPILL_SECONDS` and `MILLRACE_BIN` (a release build) make it the real thing; then every answer must come
/// within a second, too. With the variables of `SpillCluster` it is a real cluster whose brokers are killed, first one,
/// then all:
///
///     MILLRACE_TEST_KAFKA=b1:9092,b2:9092,b3:9092 MILLRACE_TEST_KAFKA_STOP_ONE='…' MILLRACE_TEST_KAFKA_STOP='…' \
///     MILLRACE_TEST_KAFKA_START='…' MILLRACE_SPILL_RATE=500 MILLRACE_SPILL_SECONDS=60 MILLRACE_BIN=.build/release \
///     swift test --filter EndToEnd.SpillTests
@Suite(.serialized) struct SpillTests {
    static let environment = ProcessInfo.processInfo.environment
    static let rate = environment["MILLRACE_SPILL_RATE"].flatMap { Double($0) }
    static let seconds = environment["MILLRACE_SPILL_SECONDS"].flatMap { Double($0) } ?? 9

    @Test func everyWebhookIsAnsweredWhileKafkaIsGone() async throws {
        try await SpillScene.run { scene in
            try await scene.startIngress()
            let load = WebhookLoad(port: scene.port, customers: 200)
            async let sending: Void = load.run(perSecond: Self.rate ?? 60, for: .seconds(Self.seconds))
            try await Task.sleep(for: .seconds(Self.seconds / 6))
            try await scene.cluster.stopOne()
            try await Task.sleep(for: .seconds(Self.seconds / 6))
            try await scene.cluster.stop()
            try await eventually("records are spilled") { await scene.held() ?? 0 > 0 }
            try await Task.sleep(for: .seconds(Self.seconds / 2))
            try await scene.cluster.start()
            await sending
            let begin = ContinuousClock.now
            let copies = try await scene.check(load.report)
            print("spill: \(load.report.summary); \(copies) copies; checked after \(ContinuousClock.now - begin)")
            #expect(load.report.refused == [:])
            if Self.rate != nil { #expect(load.report.latency(1) < 1_000) }
            #expect(scene.lines.contains("records go to the spill"))
            try await eventually("the end is told") { scene.lines.contains("records go to the log") }
            #expect(!scene.lines.contains("wamid"))
            await load.close()
        }
    }

    @Test func whatWasAnsweredOutlivesTheIngressWhileItSpillsAndDrains() async throws {
        try await SpillScene.run { scene in
            // Kafka is down when the ingress starts.
            try await scene.cluster.stop()
            try await scene.startIngress()
            let load = WebhookLoad(port: scene.port, customers: 100)
            async let sending: Void = load.run(perSecond: Self.rate ?? 60, for: .seconds(Self.seconds))
            for kill in 1...3 {
                try await eventually("more are acknowledged") { load.report.acknowledged.count > kill * 60 }
                #expect(scene.fleet.kill("millrace-ingress"))
                try await scene.waitForIngress()
            }
            // Kafka comes back so slow that the drain takes a while, and is killed in it.
            try await scene.cluster.startSlowly()
            for _ in 1...2 {
                let before = await scene.held() ?? 0
                try await eventually("the drain is under way") {
                    guard let now = await scene.held() else { return false }
                    return now < before || now == 0
                }
                _ = scene.fleet.kill("millrace-ingress")
                try await scene.waitForIngress()
            }
            try scene.cluster.speedUp()
            await sending
            let copies = try await scene.check(load.report)
            print("spill, killed: \(load.report.summary); \(copies) copies")
            #expect(load.report.acknowledged.count > 180)
            await load.close()
        }
    }

    @Test func aFullSpillIsAnswered503() async throws {
        try await SpillScene.run(settings: ["MILLRACE_SPILL_MAX_BYTES": "1048576"]) { scene in
            try await scene.startIngress()
            try await scene.cluster.stop()
            let load = WebhookLoad(port: scene.port, customers: 20, padding: 60_000)
            await load.run(perSecond: 100, for: .seconds(60), givingUpWhenRefused: true)
            #expect(load.report.refused.keys.sorted() == [503])
            #expect(load.report.acknowledged.count > 5)
            try await scene.cluster.start()
            try await scene.check(load.report)
            let again = WebhookLoad(port: scene.port, customers: 1)
            await again.run(perSecond: 10, for: .milliseconds(100))
            #expect(again.report.acknowledged.count == 1)
            await load.close()
            await again.close()
        }
    }

    @Test func theOperatorSeesAndDrainsASpillWhoseIngressIsGone() async throws {
        try await SpillScene.run { scene in
            #expect(try await scene.millrace("drain").code == 1)
            try await scene.cluster.stop()
            try await scene.startIngress()
            let load = WebhookLoad(port: scene.port, customers: 20)
            await load.run(perSecond: 40, for: .seconds(1))
            let status = try await scene.millrace("status", "--lanes")
            #expect(status.code == 0)
            #expect(status.output.contains("in use    yes"))
            #expect(status.output.contains("\(scene.cluster.topics.messages)["))
            let refused = try await scene.millrace("drain")
            #expect(refused.code == 1 && refused.output.contains("belongs to another process"))
            await scene.fleet.stop()
            try await scene.cluster.start()
            let drained = try await scene.millrace("drain")
            #expect(drained.code == 0 && drained.output.contains("the spill is empty"), "\(drained.output)")
            try await scene.check(load.report)
            #expect(try await scene.millrace("status").output.contains("records   0"))
            await load.close()
        }
    }
}
