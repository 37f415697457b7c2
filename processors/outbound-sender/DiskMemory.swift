import EventLog
import Processing
import Synchronization
import WhatsApp

import struct Foundation.UUID

/// Since when this disk remembers everything that was sent from a partition.
///
/// `sent/…` entries stay on the disk alone. Which disk the last owner had is told by an entry that survives: where it was
/// another one, this disk begins to remember now, and what was asked for before is looked for on the log
/// (`ResultHistory`).
final class DiskMemory: Sendable {
    /// What its surviving key begins with.
    static let prefix = "memory/"
    private static let owner = prefix + "disk"
    private static let disk = "local/disk"
    private static let since = "local/since"

    private struct Term {
        let disk: [UInt8]
        let since: Timestamp
        var isSettled: Bool
    }
    private let terms = Mutex<[Int32: Term]>([:])

    /// What was known of partitions that are not ours any more is not believed again.
    func partitionsChanged(_ owned: Set<Int32>) {
        terms.withLock { terms in terms = terms.filter { owned.contains($0.key) } }
    }

    /// - Returns: Commands that were asked for later are remembered here if they were sent.
    func began(_ context: HandlerContext) async throws -> Timestamp {
        let known = terms.withLock { $0[context.partition] }
        if let known, known.isSettled { return known.since }
        let state = context.state
        let disk = try await state.value(Self.disk)
        if let disk, let since = try await state.value(Self.since).flatMap(Self.time), try await state.value(Self.owner) == disk {
            terms.withLock { $0[context.partition] = Term(disk: disk, since: since, isSettled: true) }
            return since
        }
        let term = known ?? Term(disk: disk ?? Array(UUID().uuidString.utf8), since: context.now, isSettled: false)
        terms.withLock { $0[context.partition] = term }
        // Written with the first command that ends; until then each one says so again.
        try await state.set(Self.disk, to: term.disk, expires: nil)
        try await state.set(Self.since, to: Array("\(term.since.milliseconds)".utf8), expires: nil)
        try await state.set(Self.owner, to: term.disk, expires: nil)
        return term.since
    }

    private static func time(_ value: [UInt8]) -> Timestamp? {
        Int64(String(decoding: value, as: UTF8.self)).map { Timestamp(milliseconds: $0) }
    }
}
