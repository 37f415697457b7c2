import D360
import EventLog
import Foundation
import WhatsApp

/// CPU of a send through `D360Client`, beside the bare loop's.
enum CPUCost {
    static let sends = 20_000
    static let concurrency = 64
    static let rounds = 3

    static func measure(_ goals: inout Goals) async throws {
        let server = try OtherSide("serve")
        defer { server.stop() }
        let command = try Load.command(number: 0, index: 0)
        let endpoint = Load.endpoint(port: server.port)
        let body = command.call(for: .cloud).body
        let transport = HTTPTransport()
        let client = D360Client(transport: transport)
        var (bare, ours) = ([Double](), [Double]())
        // In turn, and the best of each: what else runs on the machine only ever adds.
        for _ in 0..<rounds {
            bare.append(
                try await cost {
                    await onThread {
                        BareLoop.run(
                            url: endpoint.baseURL + "/messages", headers: Load.headers, body: body, sends: sends,
                            concurrency: concurrency)
                    }
                })
            ours.append(
                try await cost { try await Load.run(sends, concurrency) { _ in await client.send(command, to: endpoint) } })
        }
        await transport.shutdown()
        guard let bare = bare.min(), let ours = ours.min() else { return }
        say("cpu per send: bare loop \(Goals.text(bare)) µs, D360Client \(Goals.text(ours)) µs")
        goals.atMost("sender.cpu.ratio", ours / bare, 2)
    }

    /// Microseconds of CPU for each send.
    private static func cost(_ work: () async throws -> Void) async throws -> Double {
        let before = cpuTime()
        try await work()
        return (cpuTime() - before).seconds * 1e6 / Double(sends)
    }

    private static func onThread(_ work: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { done in
            Thread {
                work()
                done.resume()
            }.start()
        }
    }
}

/// What is sent.
enum Load {
    struct Failed: Error {}

    static let headers = ["D360-API-KEY: bench-key", "Content-Type: application/json", "Accept: application/json", "Expect:"]

    static func number(_ index: Int) -> String { "\(700_100_200_300_000 + index)" }

    static func endpoint(port: Int) -> ChannelEndpoint {
        ChannelEndpoint(baseURL: "http://127.0.0.1:\(port)", hosting: .cloud, apiKey: APIKey("bench-key"))
    }

    static func command(number index: Int, index user: Int) throws -> OutboundCommand {
        let text = #"{"type":"text","text":{"body":"Your parcel has left the house and arrives tomorrow before noon."}}"#
        return OutboundCommand(
            channel: ChannelIdentity(name: "bench", hosting: .cloud, phoneNumberID: number(index)), id: "c\(user)",
            purpose: .utility, recipient: .to("1555\(1_000_000 + user)"),
            conversationKey: "\(number(index)):1555\(1_000_000 + user)", message: try JSON(parsing: Array(text.utf8)),
            expiresAt: .now + .seconds(3_600), requestedAt: .now)
    }

    /// `total` sends, so many at once; any that is not accepted ends it.
    static func run(
        _ total: Int, _ concurrency: Int, _ send: @escaping @Sendable (Int) async throws -> SendOutcome
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<concurrency {
                group.addTask {
                    for index in stride(from: worker, to: total, by: concurrency) {
                        guard case .accepted = try await send(index) else { throw Failed() }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
