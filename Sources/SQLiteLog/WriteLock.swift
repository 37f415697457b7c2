import EventLog
import Foundation

/// First come, first served among all writers of all processes.
///
/// SQLite's own wait for the write lock is a back-off of up to 100 ms in which a busy writer always wins. Here each
/// writer draws a ticket, locks the byte of its number, and waits until the byte before is free. This only orders:
/// SQLite's lock still excludes, so a wrong turn costs time, never data.
///
/// - A writer that dies frees its byte, and the next one goes on.
/// - A writer that is stopped (SIGSTOP) while it queues would hold up the rest; after `patience` its turn is skipped.
///   That is why the wait polls: a blocking lock has no time limit.
struct WriteLock: Sendable {
    /// Bytes of tickets begin behind those of roles.
    private static let firstTicketByte: Int64 = 1 << 32
    private static let patience: Duration = .seconds(1)
    /// A commit takes 150 µs at best: a longer pause costs throughput, a shorter one gains none.
    private static let pollMicroseconds: UInt32 = 80

    private let file: LockFile

    /// Each writing thread has its own lock file object: locks of one object do not exclude each other.
    init(_ file: LockFile) { self.file = file }

    func withLock<T>(_ body: () throws -> T) rethrows -> T {
        let ticket = draw()
        defer { file.unlock(ticket) }
        if ticket > Self.firstTicketByte { wait(for: ticket - 1) }
        return try body()
    }

    /// The next number, its byte locked: both happen inside the turnstile, so the one behind finds it locked.
    private func draw() -> Int64 {
        let turnstile = LockFile.Role.turnstile.rawValue
        file.lock(turnstile)
        defer { file.unlock(turnstile) }
        var last: Int64 = 0
        _ = pread(file.descriptor, &last, MemoryLayout.size(ofValue: last), 0)
        var number = last + 1
        _ = pwrite(file.descriptor, &number, MemoryLayout.size(ofValue: number), 0)
        let ticket = Self.firstTicketByte + number
        _ = file.tryLock(ticket)
        return ticket
    }

    private func wait(for predecessor: Int64) {
        let end = ContinuousClock.now + Self.patience
        while file.isHeldElsewhere(predecessor), ContinuousClock.now < end { usleep(Self.pollMicroseconds) }
    }
}
