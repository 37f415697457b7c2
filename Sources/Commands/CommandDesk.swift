import EventLog
import Foundation
import Synchronization
import WhatsApp

/// Why a request did not become a command. Safe to log and to answer.
public enum CommandRefusal: Error, Sendable, Hashable {
    case invalid(MessageFault)
    /// The channel is not there, or not the principal's; he is not told which.
    case forbidden
    /// The idempotency key was used for another command.
    case conflict
}

/// A command on the log.
public struct CommandReceipt: Sendable, Hashable {
    public let commandID: String
    public let conversationKey: String
    /// The command was there before; nothing is sent twice.
    public let isRepetition: Bool
}

/// Turns requests into commands on the log: the one way in, for the HTTP endpoint and for `millrace send`.
///
/// | killed | what the caller does | what happens |
/// |---|---|---|
/// | before the claim | calls again | as if for the first time |
/// | between claim and command | calls again with the same content | the claim is found, the command is written |
/// | after the command, before the answer | calls again | the same id and times: a copy, which the sender drops |
///
/// A caller without a key gets a new command each time: he cannot call again safely.
public final class CommandDesk: Sendable {
    private let producer: any Producer
    private let topics: Topics
    private let channels: Mutex<[String: ChannelIdentity]>
    private let keys: KeyMemory
    private let now: @Sendable () -> Timestamp

    /// - Parameter channels: Those that can send, by name.
    public init(
        producer: any Producer, topics: Topics, channels: [ChannelIdentity], keys: KeyMemory,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.producer = producer
        self.topics = topics
        self.channels = Mutex(Self.byName(channels))
        self.keys = keys
        self.now = now
    }

    /// From now on these channels and no others.
    public func replaceChannels(_ channels: [ChannelIdentity]) {
        let channels = Self.byName(channels)
        self.channels.withLock { $0 = channels }
    }

    private static func byName(_ channels: [ChannelIdentity]) -> [String: ChannelIdentity] {
        Dictionary(channels.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Returns when the command is durable. Throws `CommandRefusal`, or the log's error; then calling again with the
    /// same key is right.
    public func accept(_ request: CommandRequest, from principal: Principal) async throws -> CommandReceipt {
        guard let channel = channels.withLock({ $0[request.channel] }), principal.maySend(from: request.channel) else {
            throw CommandRefusal.forbidden
        }
        let id = OutboundCommand.id(
            principal: principal.name, channel: request.channel, key: request.idempotencyKey ?? UUID().uuidString)
        var command = request.command(channel: channel, id: id, at: now())
        do throws(MessageFault) { try command.check(for: channel.hosting) } catch {
            throw CommandRefusal.invalid(error)
        }
        var isRepetition = false
        if request.idempotencyKey != nil {
            guard case .granted(let first) = try await keys.claim(command) else { throw CommandRefusal.conflict }
            isRepetition = first.isStored
            (command.requestedAt, command.expiresAt) = (first.requestedAt, first.expiresAt)
        }
        if !isRepetition {
            try await producer.produce([command.record(topic: request.isBulk ? topics.outboundBulk : topics.outbound)])
            await keys.noteStored(command)
        }
        return CommandReceipt(commandID: id, conversationKey: command.conversationKey, isRepetition: isRepetition)
    }
}
