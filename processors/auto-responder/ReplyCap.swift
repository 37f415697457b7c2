import EventLog
import Processing

/// Counts replies per conversation against the rules' caps.
struct ReplyCap: Sendable {
    let caps: [ReplyRules.Cap]

    /// Takes one reply when every cap has room for it. Times of replies are kept as long as the longest cap looks back.
    func take(_ conversationKey: String, _ state: any StateStore, now: Timestamp) async throws -> Bool {
        guard let memory = caps.map(\.per).max() else { return true }
        let key = "replies/\(conversationKey)"
        var times = Self.decode(try await state.value(key) ?? []).filter { $0 > now - memory }
        for cap in caps where times.count(where: { $0 > now - cap.per }) >= cap.replies { return false }
        times.append(now)
        try await state.set(key, to: Self.encode(times), expires: now + memory)
        return true
    }

    private static func encode(_ times: [Timestamp]) -> [UInt8] {
        times.flatMap { time in withUnsafeBytes(of: time.milliseconds.littleEndian) { Array($0) } }
    }

    private static func decode(_ bytes: [UInt8]) -> [Timestamp] {
        stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { start in
            let value = bytes[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Timestamp(milliseconds: Int64(bitPattern: value))
        }
    }
}
