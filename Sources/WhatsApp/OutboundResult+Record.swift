import EventLog

extension OutboundResult {
    /// Reads a result strictly; the error names the member that is wrong, never its value.
    public init(_ record: StoredRecord) throws(MalformedRecord) {
        let event = try CloudEvent(record.headers)
        guard event.type == EventType.outboundResulted.rawValue else { throw MalformedRecord("ce_type") }
        guard let key = record.key, !key.isEmpty, let conversationKey = String(validating: key, as: UTF8.self) else {
            throw MalformedRecord("key")
        }
        guard let value = record.value else { throw MalformedRecord("value") }
        try self.init(
            value: value, conversationKey: conversationKey, correlationID: event.correlationID,
            traceparent: event.traceparent)
    }

    /// Reads the value of a result where the headers are known otherwise.
    public init(
        value: [UInt8], conversationKey: String, correlationID: String?, traceparent: String?
    ) throws(MalformedRecord) {
        guard let json = try? JSON(parsing: value) else { throw MalformedRecord("value") }
        guard let result = json["result"], result.kind == .object else { throw MalformedRecord("result") }
        let members = OutboundMembers(result, "result")
        guard let outcome = Outcome(rawValue: try members.text("outcome")) else {
            throw MalformedRecord("result.outcome")
        }
        purpose = try members.textIfPresent("purpose").map { word throws(MalformedRecord) in
            guard let purpose = OutboundCommand.Purpose(rawValue: word) else { throw MalformedRecord("result.purpose") }
            return purpose
        }
        guard let attempts = try members.integerIfPresent("attempts"), (0...Int64(Int32.max)).contains(attempts) else {
            throw MalformedRecord("result.attempts")
        }
        if let channel = json["channel"] { self.channel = try ChannelIdentity(outbound: channel) }
        self.conversationKey = conversationKey
        commandID = try members.text("command_id")
        self.outcome = outcome
        messageID = try members.textIfPresent("message_id")
        isMark = result["mark"]?.bool == true
        guard outcome != .accepted || isMark || messageID != nil else { throw MalformedRecord("result.message_id") }
        messageStatus = try members.textIfPresent("message_status")
        self.attempts = Int(attempts)
        attemptsAtLeast = result["attempts_at_least"]?.bool == true
        firstAttemptAt = try members.time("first_attempt_at")
        finishedAt = try members.time("finished_at")
        contentHash = try members.textIfPresent("content")
        usedFallback = result["fallback"]?.bool == true
        let resends = try members.integerIfPresent("resent_after_unknown") ?? 0
        guard (0...Int64(Int32.max)).contains(resends) else { throw MalformedRecord("result.resent_after_unknown") }
        resentAfterUnknown = Int(resends)
        opaque = try members.textIfPresent("opaque")
        error = try Failure(result["error"])
        self.correlationID = correlationID
        self.traceparent = traceparent
    }

    public var value: [UInt8] {
        JSONWriter.object { value in
            channel?.writeOutbound(to: &value)
            value.object("result") { result in
                result.member("command_id", commandID)
                result.member("outcome", outcome.rawValue)
                result.memberIfPresent("message_id", messageID)
                result.memberIfPresent("message_status", messageStatus)
                result.member("attempts", attempts)
                result.member("first_attempt_at", firstAttemptAt.milliseconds)
                if attemptsAtLeast { result.member("attempts_at_least", true) }
                result.member("finished_at", finishedAt.milliseconds)
                result.memberIfPresent("purpose", purpose?.rawValue)
                result.memberIfPresent("content", contentHash)
                if isMark { result.member("mark", true) }
                if usedFallback { result.member("fallback", true) }
                if resentAfterUnknown > 0 { result.member("resent_after_unknown", resentAfterUnknown) }
                result.memberIfPresent("opaque", opaque)
                if let error {
                    result.object("error") { member in
                        member.memberIfPresent("code", error.code)
                        member.member("class", error.errorClass)
                        member.memberIfPresent("http_status", error.httpStatus.map { Int64($0) })
                        member.member("message", error.message)
                    }
                }
            }
        }
    }

    public func record(topic: Topic) -> Record { record(topic: topic, value: value) }

    /// The same, where `value` is known already.
    public func record(topic: Topic, value: [UInt8]) -> Record {
        let event = CloudEvent(
            type: .outboundResulted, id: eventID,
            source: channel?.outboundSource
                ?? CloudEvent.source(wabaID: nil, business: ConversationKey.business(of: conversationKey)), subject: messageID,
            time: finishedAt, recordedTime: finishedAt, partitionKey: conversationKey, correlationID: correlationID,
            causationID: commandID, traceparent: traceparent)
        return Record(
            topic: topic, key: Array(conversationKey.utf8), value: value, headers: event.headers,
            timestamp: finishedAt)
    }
}

extension OutboundResult.Failure {
    fileprivate init?(_ json: JSON?) throws(MalformedRecord) {
        guard let json, !json.isNull else { return nil }
        guard json.kind == .object else { throw MalformedRecord("result.error") }
        let members = OutboundMembers(json, "result.error")
        let status = try members.integerIfPresent("http_status")
        if let status, !(100...999).contains(status) { throw MalformedRecord("result.error.http_status") }
        self.init(
            code: try members.integerIfPresent("code"), errorClass: try members.text("class"),
            httpStatus: status.map { Int($0) }, message: try members.text("message"))
    }
}
