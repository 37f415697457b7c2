import ArgumentParser
import Commands
import EventLog
import Foundation
import Logging
import Service
import WhatsApp

/// `millrace send`: puts one command on the log, by the same way as `POST /v1/commands`.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send one message: puts a command on the log and prints its id.",
        discussion: """
            The command is checked against the platform's rules first. With --key it is safe to call again: the same key \
            gives the same command, and another content under it is refused. --file takes what POST /v1/commands takes, \
            or - for standard input. --wait prints how it ended; exit code 0 only when the message was accepted.
            """)

    @OptionGroup var content: Content
    @Option(help: "Idempotency key: calling again with it sends nothing twice.") var key: String?
    @Flag(help: "Wait for the result and print it.") var wait = false
    @Option(help: "Seconds to wait for the result.") var timeout = 60

    /// What to send, as a request in the making.
    struct Content: ParsableArguments {
        @Option(help: "Channel to send from; may be left out when there is one only.") var channel: String?
        @Option(help: "Phone number of the recipient.") var to: String?
        @Option(help: "Group id.") var group: String?
        @Option(help: "Business-scoped user id of the recipient.") var recipient: String?
        @Option(help: "A text message.") var text: String?
        @Option(help: "Name of an approved template.") var template: String?
        @Option(help: "Language of the template.") var language = "en"
        @Option(help: "Parameter of the template's body; repeat it for several, in order.") var parameter: [String] = []
        @Option(help: "File with the request as POST /v1/commands takes it.") var file: String?
        @Option(help: "reply, utility, authentication or marketing.") var purpose = "utility"
        @Flag(help: "To the topic of campaigns.") var bulk = false
        @Option(help: "Seconds after which it is not sent any more.") var expires: Int?
    }

    func validate() throws {
        let given = [content.text, content.template, content.file].filter { $0 != nil }.count
        guard given == 1 else { throw ValidationError("give exactly one of --text, --template and --file") }
        if let key, !(1...CommandRequest.maxKeyLength).contains(key.unicodeScalars.count) {
            throw ValidationError("--key takes 1 to \(CommandRequest.maxKeyLength) characters")
        }
    }

    func run() async throws {
        try await withLog { log, settings in
            do {
                let channels = try Channels.load(environment: ProcessInfo.processInfo.environment).all
                    .filter { $0.apiKey != nil }.map(\.identity)
                var request = try CommandRequest(try body(channels))
                if let key { request.idempotencyKey = key }
                let end = try await wait ? ResultWatch(log: log, topic: settings.topics.outboundResults) : nil
                let receipt = try await accept(request, log, settings.topics, channels)
                print(receipt.commandID)
                guard let end else { return }
                try show(try await end.result(of: receipt, within: .seconds(timeout)))
            } catch let fault as MessageFault {
                throw failure("\(fault)")
            } catch CommandRefusal.invalid(let fault) {
                throw failure("\(fault)")
            } catch CommandRefusal.conflict {
                throw failure("the key was used for another command")
            } catch CommandRefusal.forbidden {
                throw failure("there is no such channel with an API key")
            }
        }
    }

    private func accept(
        _ request: CommandRequest, _ log: any Log, _ topics: Topics, _ channels: [ChannelIdentity]
    ) async throws -> CommandReceipt {
        let keys = KeyMemory(
            log: log, topic: topics.commandKeys, memory: .seconds(24 * 3_600), maxKeys: 1_000_000,
            logger: Logger(label: "millrace", factory: { _ in SwiftLogNoOpLogHandler() }), now: { .now })
        if request.idempotencyKey != nil { try await keys.start() }
        let desk = CommandDesk(
            producer: log.producer, topics: topics, channels: channels, keys: keys, now: { .now })
        let receipt = try await desk.accept(request, from: Principal(name: "operator"))
        await keys.close()
        return receipt
    }

    private func show(_ result: OutboundResult?) throws {
        guard let result else { throw failure("no result yet; `millrace status` tells later") }
        let error = result.error.map { "  \($0.code.map { "\($0) " } ?? "")\($0.errorClass): \($0.message)" } ?? ""
        print("\(result.outcome.rawValue)  \(result.messageID ?? "")\(error)")
        if result.outcome != .accepted { throw ExitCode(1) }
    }

    private func failure(_ line: String) -> ExitCode {
        StandardError.write(line: "millrace: \(line)")
        return ExitCode(1)
    }

    /// The request's body: the file's, or one made of the options.
    private func body(_ channels: [ChannelIdentity]) throws -> [UInt8] {
        if let file = content.file {
            let data = file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
            guard let data else { throw failure("the file cannot be read") }
            return Array(data)
        }
        guard let channel = content.channel ?? (channels.count == 1 ? channels[0].name : nil) else {
            throw failure("--channel is needed: there are \(channels.count)")
        }
        return JSONWriter.object { body in
            body.member("channel", channel)
            body.memberIfPresent("to", content.to)
            body.memberIfPresent("group", content.group)
            body.memberIfPresent("recipient", content.recipient)
            body.member("purpose", content.purpose)
            body.object("message", message)
            if content.bulk { body.member("bulk", true) }
            body.memberIfPresent("expires_in", content.expires.map { Int64($0) })
        }
    }

    private func message(_ message: inout JSONWriter) {
        if let text = content.text {
            message.member("type", "text")
            message.object("text") { $0.member("body", text) }
            return
        }
        message.member("type", "template")
        message.object("template") { template in
            template.member("name", content.template ?? "")
            template.object("language") { $0.member("code", content.language) }
            if content.parameter.isEmpty { return }
            template.array("components") { components in
                components.objectElement { component in
                    component.member("type", "body")
                    component.array("parameters") { parameters in
                        for text in content.parameter {
                            parameters.objectElement {
                                $0.member("type", "text")
                                $0.member("text", text)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Waits on the results topic for the end of one command, from where the topic ended when the watch began.
struct ResultWatch {
    private let log: any Log
    private let starts: [TopicPartition: Offset]

    init(log: any Log, topic: Topic) async throws {
        self.log = log
        let partitions = try await log.admin.partitions(of: topic)
        starts = try await log.admin.watermarks(of: partitions).mapValues(\.high)
    }

    /// Nil when none came in time.
    func result(of receipt: CommandReceipt, within limit: Duration) async throws -> OutboundResult? {
        let home = Murmur2.partition(of: Array(receipt.conversationKey.utf8), partitions: Int32(starts.count))
        guard let (partition, start) = starts.first(where: { $0.key.partition == home }) else { return nil }
        let deadline = ContinuousClock.now + limit
        return try await log.withReader { reader in
            var next = start
            while ContinuousClock.now < deadline {
                let records = try await reader.read(partition, from: next, maxRecords: 1_000, waitingUpTo: .milliseconds(500))
                for record in records {
                    next = record.offset + 1
                    if let result = try? OutboundResult(record), result.commandID == receipt.commandID { return result }
                }
            }
            return nil
        }
    }
}
