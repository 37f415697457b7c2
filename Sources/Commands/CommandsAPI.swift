import EventLog
import Foundation
import Hummingbird
import Logging
import WhatsApp

/// The HTTP side of `POST /v1/commands`: who calls, how large, and what is answered. The contract stands in
/// deploy/contracts/commands.openapi.yaml.
struct CommandsAPI: Sendable {
    let desk: CommandDesk
    let principals: PrincipalRegister
    let configuration: CommandsConfiguration
    let admission: Admission
    let metrics: CommandsMetrics
    let logger: Logger
    let health = StoreHealth()

    /// Whether a body is worth sending.
    func isWelcome(_ request: ContinueHandler.Announcement) -> Bool {
        principals.principal(authorization: request.authorization) != nil
            && request.contentLength.map { $0 <= configuration.maxBodyBytes } ?? true
    }

    var router: Router<BasicRequestContext> {
        let router = Router()
        router.post("v1/commands") { request, _ in
            let clock = ContinuousClock()
            let start = clock.now
            let answer = await answer(request)
            metrics.answered(answer.outcome, after: start.duration(to: clock.now))
            return answer.response
        }
        return router
    }

    private func answer(_ request: Request) async -> CommandsAnswer {
        // Before the body: a stranger is not read.
        guard let principal = principals.principal(authorization: request.headers[.authorization]) else {
            return .unauthorized
        }
        do {
            let body = try await body(of: request)
            let command = try self.command(body, key: request.headers[Self.keyHeader])
            let receipt = try await admission.run(within: configuration.deadline) {
                try await desk.accept(command, from: principal)
            }
            health.stored()
            return .accepted(receipt)
        } catch let fault as MessageFault {
            return .invalid(fault)
        } catch let refusal as CommandRefusal {
            return .refused(refusal)
        } catch is TooLarge {
            return .tooLarge(configuration.maxBodyBytes)
        } catch let error as LogError where error.code == .recordTooLarge {
            return .tooLarge(configuration.maxBodyBytes)
        } catch {
            health.failed()
            // The type alone: an arbitrary error's text may quote a payload.
            logger.warning("command not stored", metadata: ["error.type": "\(type(of: error))"])
            return .unavailable
        }
    }

    private struct TooLarge: Error {}
    private static let keyHeader = HTTPFields.Element.Name("Idempotency-Key")!

    private func body(of request: Request) async throws -> [UInt8] {
        let limit = configuration.maxBodyBytes
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw TooLarge() }
        var body: [UInt8] = []
        for try await part in request.body {
            guard body.count + part.readableBytes <= limit else { throw TooLarge() }
            body.append(contentsOf: part.readableBytesView)
        }
        return body
    }

    /// The key may stand in the header or in the body; in both only if they agree.
    private func command(_ body: [UInt8], key: String?) throws(MessageFault) -> CommandRequest {
        var command = try CommandRequest(body)
        guard let key else { return command }
        guard (1...CommandRequest.maxKeyLength).contains(key.unicodeScalars.count) else {
            throw MessageFault("Idempotency-Key", "must be text of 1 to \(CommandRequest.maxKeyLength) characters")
        }
        guard command.idempotencyKey == nil || command.idempotencyKey == key else {
            throw MessageFault("idempotency_key", "differs from the header Idempotency-Key")
        }
        command.idempotencyKey = key
        return command
    }
}
