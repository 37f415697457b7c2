import D360
import EventLog
import EventLogTesting
import Foundation
import Testing
import WhatsApp
import Yams

@testable import Commands

@Suite struct EndpointTests {
    @Test func acceptedCommandIsDurableAndRepeatable() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let first = try await endpoint.post(requestBody(key: "k"))
                #expect(first.status == 202)
                let command = try #require(try await bench.commands().first)
                #expect(first.json["command_id"]?.string == command.id)
                #expect(first.json["conversation_key"]?.string == command.conversationKey)
                #expect(first.json["repeated"]?.bool == false)
                let header = [HTTPField("Idempotency-Key", "k")]
                let again = try await endpoint.post(requestBody(), token: Endpoint.secondToken, headers: header)
                #expect(again.status == 202)
                #expect(again.json["command_id"]?.string == command.id)
                #expect(again.json["repeated"]?.bool == true)
                #expect(try await bench.commands().count == 1)
            }
        }
    }

    @Test func sameKeyWithOtherContentIsAConflict() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                #expect(try await endpoint.post(requestBody(key: "k")).status == 202)
                let other = try await endpoint.post(requestBody(key: "k", body: "Bye"))
                #expect(other.status == 409)
                #expect(other.json["error"]?["field"]?.string == "idempotency_key")
                #expect(try await bench.commands().count == 1)
            }
        }
    }

    @Test(arguments: [nil, "", "secret-token-of-shoq", "secret-token-of-sho", "secret-token-of-shop2", "SECRET-TOKEN-OF-SHOP"])
    func strangersAreTurnedAway(token: String?) async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let answer = try await endpoint.post("not even JSON", token: token)
                #expect(answer.status == 401)
                #expect(answer.response.header("WWW-Authenticate") == "Bearer")
                #expect(try await endpoint.post(requestBody(), token: nil, headers: [HTTPField("Authorization", "Basic \(Endpoint.token)")]).status == 401)
            }
        }
    }

    @Test func brokenRuleIsNamedAndTheValueIsNot() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let bad = try await endpoint.post(requestBody(body: String(repeating: "SECRET", count: 1_000)))
                #expect(bad.status == 400)
                #expect(bad.json["error"]?["field"]?.string == "message.text.body")
                #expect(bad.json["error"]?["rule"]?.string == "must be text of 1 to 4096 characters")
                #expect(!String(decoding: bad.response.body, as: UTF8.self).contains("SECRET"))
                #expect(try await endpoint.post("{").status == 400)
                let twoKeys = try await endpoint.post(
                    requestBody(key: "a"), headers: [HTTPField("Idempotency-Key", "b")])
                #expect(twoKeys.status == 400)
                #expect(try await bench.commands().isEmpty)
            }
        }
    }

    @Test func principalIsBoundToItsChannels() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let answer = try await endpoint.post(requestBody(), token: "secret-token-of-crm")
                #expect(answer.status == 403)
                let own = requestBody().replacing(#""main""#, with: #""old""#)
                #expect(try await endpoint.post(own, token: "secret-token-of-crm").status == 202)
            }
        }
    }

    @Test func largeBodiesAreRefused() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench, configure: { $0.maxBodyBytes = 1_024 }) { endpoint in
                let filler = String(repeating: " ", count: 2_000)
                let large = try await endpoint.post(requestBody() + filler)
                #expect(large.status == 413)
                let small = try await endpoint.post(requestBody())
                #expect(small.status == 202)
            }
        }
    }

    @Test func logThatDoesNotTakeItIsUnavailable() async throws {
        try await Bench.run { bench in
            let faulty = FaultyLog(bench.log, plan: .none)
            try await Endpoint.run(bench, on: faulty) { endpoint in
                faulty.breakDown()
                let refused = try await endpoint.post(requestBody(key: "k"))
                #expect(refused.status == 503)
                #expect(refused.response.header("Retry-After") == "1")
                faulty.repair()
                #expect(try await endpoint.post(requestBody(key: "k")).status == 202)
                #expect(try await bench.commands().count == 1)
            }
        }
    }

    @Test func unknownPathIsNotFound() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let transport = HTTPTransport()
                let answer = try await transport.perform(HTTPRequest(method: "GET", url: endpoint.url + "/v1/commands"))
                #expect([404, 405].contains(answer.status))
                await transport.shutdown()
            }
        }
    }

    /// What the contract shows is what the endpoint takes and answers.
    @Test func contractsExamplesHold() async throws {
        let contract = try Contract()
        let post = try contract.at("paths", "/v1/commands", "post")
        let content = try #require((post["requestBody"] as? Contract.Object)?["content"] as? Contract.Object)
        let json = try #require(content["application/json"] as? Contract.Object)
        let examples = try #require(json["examples"] as? [String: Contract.Object])
        let schema = try contract.schema("Command")
        #expect(examples.count == 6)
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                for (name, example) in examples {
                    let value = try #require(example["value"])
                    #expect(try contract.fault(value, schema) == nil, "\(name)")
                    let body = try JSONSerialization.data(withJSONObject: value)
                    let answer = try await endpoint.post(String(decoding: body, as: UTF8.self))
                    #expect(answer.status == 202, "\(name): \(String(decoding: answer.response.body, as: UTF8.self))")
                }
                #expect(try await bench.commands().count + bench.commands(Bench.topics.outboundBulk).count == 6)
            }
        }
    }

    @Test func answersAreAsTheContractSays() async throws {
        let contract = try Contract()
        let post = try contract.at("paths", "/v1/commands", "post")
        let responses = try #require(post["responses"] as? [String: Contract.Object])
        let answers: [CommandsAnswer] = [
            .accepted(CommandReceipt(
                commandID: String(repeating: "a", count: 32), conversationKey: "7:1", isRepetition: false)),
            .invalid(MessageFault("message.text.body", "is required")), .unauthorized, .refused(.forbidden),
            .refused(.conflict), .tooLarge(262_144), .unavailable,
        ]
        #expect(Set(answers.map { "\($0.status.code)" }) == Set(responses.keys))
        // "repeated" is an accepted command, too.
        #expect(Set(answers.map(\.outcome)).union(["repeated"]) == Set(CommandsAnswer.outcomes))
        for answer in answers {
            let response = try #require(responses["\(answer.status.code)"])
            let media = try #require((response["content"] as? Contract.Object)?["application/json"] as? Contract.Object)
            let schema = try #require(media["schema"] as? Contract.Object)
            let value = try JSONSerialization.jsonObject(with: Data(answer.body))
            #expect(try contract.fault(value, schema) == nil, "\(answer.status.code)")
            #expect(try contract.fault(try #require(media["example"]), schema) == nil, "\(answer.status.code)")
        }
    }

    /// The contract's bounds are the code's.
    @Test func contractRefusesWhatTheEndpointRefuses() throws {
        let schema = try Contract().schema("Command")
        let properties = try #require(schema["properties"] as? [String: Contract.Object])
        let lifetime = try #require(properties["expires_in"]?["maximum"] as? Int)
        #expect(OutboundCommand.maxLifetime == .seconds(lifetime))
        #expect(properties["purpose"]?["enum"] as? [String] == OutboundCommand.Purpose.allCases.map(\.rawValue))
        #expect(properties["route"]?["enum"] as? [String] == OutboundCommand.Route.allCases.map(\.rawValue))
        #expect(properties["idempotency_key"]?["maxLength"] as? Int == CommandRequest.maxKeyLength)
    }
}

@Suite struct AdmissionTests {
    @Test func fullAndLateAreRefusedAndWhatIsInRunsToItsEnd() async throws {
        let admission = Admission(limit: 1)
        let (gate, open) = AsyncStream<Void>.makeStream()
        await #expect(throws: Admission.Refusal.late) {
            try await admission.run(within: .milliseconds(1)) {
                for await _ in gate { break }
            }
        }
        await #expect(throws: Admission.Refusal.full) { try await admission.run(within: .seconds(60)) {} }
        open.finish()
        while (try? await admission.run(within: .seconds(60)) { true }) == nil { await Task.yield() }
    }
}
