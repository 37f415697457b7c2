import ArgumentParser
import D360
import EventLog
import Foundation
import Logging
import Service
import ServiceLifecycle
import Simulator
import WhatsApp

/// `millrace simulate`: a 360dialog with customers, on this machine.
struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a simulated 360dialog: takes sends, calls the webhook back, plays customers who write.",
        discussion: """
            Plays every channel of MILLRACE_CHANNELS whose base_url names this simulator's port. What it has seen is at \
            GET /simulator/report; POST /simulator/customers/{phone}/messages {"text": …} writes as a customer.
            """)

    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Port to listen on.") var port = 8360
    @Option(help: "Where the ingress is; webhooks go to <ingress>/webhooks/<channel>.")
    var ingress = "http://127.0.0.1:8080"
    @Option(help: "Messages per second that all customers write together; 0 for none.") var rate = 1.0
    @Option(help: "Number of customers.") var customers = 50
    @Option(help: "Stop writing after so many messages.") var messages: Int?
    @Option(help: "Seed of everything random.") var seed: UInt64?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let numbers = try Self.numbers(
            in: try Channels.load(environment: environment).all, port: port, ingress: ingress)
        var configuration = SimulatorConfiguration(numbers: numbers, seed: seed ?? .random(in: .min ... .max))
        configuration.host = host
        configuration.port = port
        configuration.customers.count = customers
        configuration.customers.messagesPerSecond = rate
        configuration.customers.messageLimit = messages
        let ready = configuration
        await MillraceService.main(withoutLogNamed: "simulator") { logger in
            [SimulatorService(configuration: ready, logger: logger)]
        }
    }

    /// The channels that send to this simulator, each with the webhook it is to call.
    static func numbers(in channels: [Channel], port: Int, ingress: String) throws -> [SimulatedNumber] {
        let numbers = try channels.filter { $0.sends(toPort: port) }.map { channel in
            let identity = channel.identity
            return SimulatedNumber(
                apiKey: channel.apiKey?.value ?? "", hosting: identity.hosting,
                phoneNumberID: identity.phoneNumberID ?? identity.name, wabaID: identity.wabaID ?? "0",
                displayPhoneNumber: identity.displayPhoneNumber ?? "0",
                webhook: SimulatedWebhook(
                    url: "\(ingress)/webhooks/\(identity.name)", headers: try channel.webhookHeaders()))
        }
        if numbers.isEmpty { throw SettingError("MILLRACE_CHANNELS", "names no channel with an api_key and a base_url at port \(port)") }
        return numbers
    }
}

extension Channel {
    func sends(toPort port: Int) -> Bool { apiKey != nil && URL(string: baseURL)?.port == port }
}

extension Channel {
    /// The headers that 360dialog would be told to send along.
    fileprivate func webhookHeaders() throws(SettingError) -> [String: String] {
        var headers: [String: String] = [:]
        for proof in webhookProofs {
            switch proof {
            case .basic(let user, let password):
                headers["Authorization"] = "Basic " + Data("\(user):\(password.value)".utf8).base64EncodedString()
            case .header(let name, let value): headers[name] = value.value
            case .signature, .metaSignature:
                throw SettingError(
                    "channels.\(identity.name).webhook", "the simulator does not sign; it shows basic and header")
            }
        }
        return headers
    }
}

/// The simulator with its transport, which must outlive it.
private struct SimulatorService: Service {
    let configuration: SimulatorConfiguration
    let logger: Logger

    func run() async throws {
        let transport = HTTPTransport()
        do {
            try await Simulator(configuration, transport: transport, logger: logger).run()
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
    }
}
