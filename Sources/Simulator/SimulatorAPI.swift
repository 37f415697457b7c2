import EventLog
import FoundationEssentials
import Hummingbird
import ServiceLifecycle
import WhatsApp

/// The HTTP side: paths, keys and bodies; what they mean is `SimulatorState`'s.
struct SimulatorAPI: Sendable {
    private static let maxBodyBytes = 1 << 20
    private static let key = HTTPFields.Element.Name("D360-API-KEY")!

    private let simulator: Simulator

    init(_ simulator: Simulator) { self.simulator = simulator }

    var router: Router<BasicRequestContext> {
        let router = Router()
        router.post("messages") { request, _ in try await send(request) }
        router.post("v1/messages") { request, _ in try await send(request) }
        router.post("marketing_messages") { request, _ in try await send(request) }
        router.put("v1/messages/{id}") { request, _ in
            authorized(request) { state, number, _ in state.markAsRead(number: number) }
        }
        router.get("v1/configs/webhook") { request, _ in
            authorized(request) { state, number, _ in .webhook(state.webhook(number: number)) }
        }
        router.post("v1/configs/webhook") { request, _ in try await setWebhook(request) }
        router.get("simulator/report") { _, _ in try encode(simulator.report()) }
        router.get("simulator/commands") { _, _ in response(200, commands()) }
        router.get("simulator/customers/{phone}/messages") { _, context in
            try encode(simulator.received(by: context.parameters.require("phone")))
        }
        router.post("simulator/customers/{phone}/messages") { request, context in
            try await inject(request, phone: context.parameters.require("phone"))
        }
        return router
    }

    private func send(_ request: Request) async throws -> Response {
        let body = try await bytes(of: request)
        let answer = answer(request) { state, number, now in state.send(body, number: number, at: now) }
        try await Task.sleep(for: simulator.responseDelay)
        switch answer.fate {
        case .given: return response(answer.status, answer.body)
        case .silence(let length):
            _ = await cancelWhenGracefulShutdown { try? await Task.sleep(for: length) }
            return Self.cut
        case .cut: return Self.cut
        }
    }

    /// An answer that ends before it begins: the body's failure closes the connection.
    private static var cut: Response {
        struct ConnectionIsCut: Error {}
        return Response(status: .ok, body: .init(contentLength: 100) { _ in throw ConnectionIsCut() })
    }

    /// `{"<command id>": <times its message was accepted>, …}`
    private func commands() -> [UInt8] {
        let deliveries = simulator.withState { state, _ in state.deliveries() }
        return JSONWriter.object { json in
            for (command, times) in deliveries { json.member(command, times) }
        }
    }

    private func setWebhook(_ request: Request) async throws -> Response {
        let json = try? JSON(parsing: try await bytes(of: request))
        return authorized(request) { state, number, _ in
            guard let url = json?["url"]?.string, url.hasPrefix("http://") || url.hasPrefix("https://") else {
                return .refused(.invalid("url"), hosting: .cloud)
            }
            var headers: [String: String] = [:]
            json?["headers"]?.forEachMember { name, value in headers[name] = value.string }
            let webhook = SimulatedWebhook(url: url, headers: headers)
            state.setWebhook(webhook, number: number)
            return .webhook(webhook)
        }
    }

    /// `{"text": …, "name"?: …, "number"?: <phone_number_id>, "expects_reply"?: …}` → `{"id": …}`
    private func inject(_ request: Request, phone: String) async throws -> Response {
        let json = try? JSON(parsing: try await bytes(of: request))
        let digits = phone.filter { $0.isASCII && $0.isNumber }
        guard let text = json?["text"]?.string, (5...15).contains(digits.count) else {
            throw HTTPError(.badRequest, message: "a phone of 5 to 15 digits and a text are needed")
        }
        guard let number = simulator.index(phoneNumberID: json?["number"]?.string) else {
            throw HTTPError(.notFound, message: "no such number")
        }
        let id = simulator.write(
            text, from: digits, name: json?["name"]?.string ?? "Guest", number: number,
            expectsReply: json?["expects_reply"]?.bool ?? true)
        guard let id else { throw HTTPError(.serviceUnavailable, message: "too many events wait for their 200") }
        return response(200, JSONWriter.object { $0.member("id", id) })
    }

    private func authorized(
        _ request: Request, _ body: (inout SimulatorState, _ number: Int, Timestamp) -> APIAnswer
    ) -> Response {
        let answer = answer(request, body)
        return response(answer.status, answer.body)
    }

    private func answer(
        _ request: Request, _ body: (inout SimulatorState, _ number: Int, Timestamp) -> APIAnswer
    ) -> APIAnswer {
        simulator.withState { state, now in
            guard let key = request.headers[Self.key], let number = state.number(apiKey: key) else {
                return state.unauthorized()
            }
            return body(&state, number, now)
        }
    }

    private func bytes(of request: Request) async throws -> [UInt8] {
        Array(buffer: try await request.body.collect(upTo: Self.maxBodyBytes))
    }

    private func encode(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return response(200, Array(try encoder.encode(value)))
    }

    private func response(_ status: Int, _ body: [UInt8]) -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
