import EventLog

extension OutboundCommand {
    /// Reads a command strictly; the error names the member that is wrong, never its value.
    public init(_ record: StoredRecord) throws(MalformedRecord) {
        let event = try CloudEvent(record.headers)
        guard event.type == EventType.outboundRequested.rawValue else { throw MalformedRecord("ce_type") }
        guard let key = record.key, !key.isEmpty, let conversationKey = String(validating: key, as: UTF8.self) else {
            throw MalformedRecord("key")
        }
        guard let value = record.value, let json = try? JSON(parsing: value) else { throw MalformedRecord("value") }
        guard let command = json["command"], command.kind == .object else { throw MalformedRecord("command") }
        let members = OutboundMembers(command, "command")
        let id = try members.text("id")
        guard id == event.id else { throw MalformedRecord("command.id") }
        guard let purpose = Purpose(rawValue: try members.text("purpose")) else {
            throw MalformedRecord("command.purpose")
        }
        self.init(
            channel: try ChannelIdentity(outbound: json["channel"]), id: id, purpose: purpose,
            recipient: try Self.recipient(members), conversationKey: conversationKey,
            message: try Self.message(command["message"], "command.message"),
            fallback: try Self.fallback(command["fallback"]), route: try Self.route(members),
            expiresAt: try members.time("expires_at"),
            windowEndsAt: try members.timeIfPresent("window_ends_at"), opaque: try members.textIfPresent("opaque"),
            requestedAt: event.time ?? record.timestamp, correlationID: event.correlationID,
            causationID: event.causationID, traceparent: event.traceparent)
    }

    public func record(topic: Topic) -> Record {
        let value = JSONWriter.object(capacity: message.bytes.count + 512) { value in
            channel.writeOutbound(to: &value)
            value.object("command") { command in
                command.member("id", id)
                command.member("purpose", purpose.rawValue)
                switch recipient {
                case .to(let to): command.member("to", to)
                case .userID(let id): command.member("recipient", id)
                }
                command.rawMember("message", message.bytes)
                if let fallback { command.rawMember("fallback", fallback.bytes) }
                if route != .messages { command.member("route", route.rawValue) }
                command.member("expires_at", expiresAt.milliseconds)
                command.memberIfPresent("window_ends_at", windowEndsAt?.milliseconds)
                command.memberIfPresent("opaque", opaque)
            }
        }
        let event = CloudEvent(
            type: .outboundRequested, id: id, source: channel.outboundSource, time: requestedAt,
            recordedTime: requestedAt, partitionKey: conversationKey, correlationID: correlationID,
            causationID: causationID, traceparent: traceparent)
        return Record(
            topic: topic, key: Array(conversationKey.utf8), value: value, headers: event.headers,
            timestamp: requestedAt)
    }

    private static func recipient(_ members: OutboundMembers) throws(MalformedRecord) -> Recipient {
        switch (try members.textIfPresent("to"), try members.textIfPresent("recipient")) {
        case (let to?, nil): return .to(to)
        case (nil, let userID?): return .userID(userID)
        default: throw MalformedRecord("one of command.to and command.recipient")
        }
    }

    /// A message has a type and the member it names; a mark has a status and names a message of the customer.
    private static func message(_ json: JSON?, _ path: String) throws(MalformedRecord) -> JSON {
        guard let json, json.kind == .object else { throw MalformedRecord(path) }
        if isMark(json) {
            guard let id = json["message_id"]?.string, !id.isEmpty else { throw MalformedRecord("\(path).message_id") }
        } else {
            guard let type = json["type"]?.string, !type.isEmpty else { throw MalformedRecord("\(path).type") }
            guard let content = json[type], !content.isNull else {
                throw MalformedRecord("the member of \(path) that its type names")
            }
        }
        if let reserved = reservedMember(of: json) { throw MalformedRecord("\(path) without \(reserved)") }
        return json
    }

    private static func fallback(_ json: JSON?) throws(MalformedRecord) -> JSON? {
        guard let json, !json.isNull else { return nil }
        let fallback = try message(json, "command.fallback")
        guard fallback["type"]?.string == "template" else { throw MalformedRecord("command.fallback.type") }
        return fallback
    }

    private static func route(_ members: OutboundMembers) throws(MalformedRecord) -> Route {
        guard let word = try members.textIfPresent("route") else { return .messages }
        guard let route = Route(rawValue: word) else { throw MalformedRecord("command.route") }
        return route
    }

    static func reservedMember(of message: JSON) -> String? {
        var reserved: String?
        message.forEachMember { name, _ in
            if reservedMembers.contains(name) { reserved = name }
        }
        return reserved
    }
}

/// The members of one object in an outbound record, read strictly.
struct OutboundMembers {
    private let json: JSON
    private let path: String

    init(_ json: JSON, _ path: String) {
        self.json = json
        self.path = path
    }

    private func malformed(_ name: String) -> MalformedRecord { MalformedRecord("\(path).\(name)") }

    /// Not empty. Null counts as absent.
    func textIfPresent(_ name: String) throws(MalformedRecord) -> String? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let text = value.string, !text.isEmpty else { throw malformed(name) }
        return text
    }
    func text(_ name: String) throws(MalformedRecord) -> String {
        guard let text = try textIfPresent(name) else { throw malformed(name) }
        return text
    }
    func integerIfPresent(_ name: String) throws(MalformedRecord) -> Int64? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let integer = value.integer else { throw malformed(name) }
        return integer
    }
    func timeIfPresent(_ name: String) throws(MalformedRecord) -> Timestamp? {
        guard let integer = try integerIfPresent(name) else { return nil }
        guard integer >= 0 else { throw malformed(name) }
        return Timestamp(milliseconds: integer)
    }
    func time(_ name: String) throws(MalformedRecord) -> Timestamp {
        guard let time = try timeIfPresent(name) else { throw malformed(name) }
        return time
    }
}

extension ChannelIdentity {
    /// The `channel` member of commands and results.
    init(outbound json: JSON?) throws(MalformedRecord) {
        guard let json, json.kind == .object else { throw MalformedRecord("channel") }
        let members = OutboundMembers(json, "channel")
        guard let hosting = Hosting(rawValue: try members.text("hosting")) else {
            throw MalformedRecord("channel.hosting")
        }
        self.init(
            name: try members.text("name"), hosting: hosting, wabaID: try members.textIfPresent("waba_id"),
            phoneNumberID: try members.textIfPresent("phone_number_id"))
    }

    func writeOutbound(to value: inout JSONWriter) {
        value.object("channel") { channel in
            channel.member("name", name)
            channel.member("hosting", hosting.rawValue)
            channel.memberIfPresent("waba_id", wabaID)
            channel.memberIfPresent("phone_number_id", phoneNumberID)
        }
    }

    var outboundSource: String { CloudEvent.source(wabaID: wabaID, business: business) }
}
