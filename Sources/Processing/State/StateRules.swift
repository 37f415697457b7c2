import EventLog

/// What handlers may write to the state of a lane.
struct StateRules: Sendable {
    /// Keys go into records and an index.
    static let maxKeyBytes = 1_024
    /// With its headers it fits a record of the state's topic (1 MiB).
    static let maxSurvivingBytes = 512 << 10

    let survivors: StateKeys
    let limits: StateLimits
    let wallTime: @Sendable () -> Timestamp
    let isFull: @Sendable () -> Bool

    /// The entry as it is kept. Throws when it must not be.
    func admit(_ key: String, _ entry: StateEntry, isKnown: () async throws -> Bool) async throws -> StateEntry {
        guard !key.isEmpty, key.utf8.count <= Self.maxKeyBytes, key.utf8.first != 0 else {
            throw HandlerFailure.permanent("state-key", "a key of the state has 1 to 1,024 bytes, the first not NUL")
        }
        guard let value = entry.value else { return entry }
        let survives = survivors.contains(key)
        if survives, value.count > Self.maxSurvivingBytes {
            throw HandlerFailure.permanent("state-too-large", "a surviving entry holds at most 512 KiB")
        }
        if survives, isFull(), try await !isKnown() {
            throw HandlerFailure.outage(
                "state-full", "the state is full of entries that must survive", scope: .processor)
        }
        guard let maxAge = limits.maxAge, !survives || entry.expires != nil else { return entry }
        let end = wallTime() + maxAge
        var entry = entry
        entry.expires = min(entry.expires ?? end, end)
        return entry
    }
}
