import EventLog
import Foundation

/// Byte locks on the file beside the log that its processes queue and choose roles by.
///
/// They are Linux's open-file-description locks: owned by one `LockFile`, not by the process, so two logs in one
/// process exclude each other too; and the kernel frees them when the owner dies.
final class LockFile: Sendable {
    // Linux's fcntl commands (`F_OFD_…`), which the Glibc module does not show.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37
    private static let setLockWaiting: Int32 = 38

    let descriptor: Int32

    init(path: String) throws(LogError) {
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open", path) }
    }

    /// To look only, where nothing can be written. Nil when there is no such file, or it is not for us to read.
    init?(existing path: String) {
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return nil }
    }

    deinit { Glibc.close(descriptor) }

    /// Waits; for locks that are held for an instant only.
    func lock(_ byte: Int64) {
        while call(Self.setLockWaiting, F_WRLCK, byte).result != 0 && errno == EINTR {}
    }
    func tryLock(_ byte: Int64) -> Bool { call(Self.setLock, F_WRLCK, byte).result == 0 }
    func unlock(_ byte: Int64) { _ = call(Self.setLock, F_UNLCK, byte) }

    /// Whether somebody else holds the byte.
    func isHeldElsewhere(_ byte: Int64) -> Bool {
        let (result, lock) = call(Self.getLock, F_WRLCK, byte)
        return result == 0 && lock.l_type != Int16(F_UNLCK)
    }

    private func call(_ command: Int32, _ type: Int32, _ byte: Int64) -> (result: Int32, lock: flock) {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = Int(byte)
        lock.l_len = 1
        let result = fcntl(descriptor, command, &lock)
        return (result, lock)
    }
}

extension LockFile {
    /// Bytes of the file that stand for a role; only one process at a time plays it.
    enum Role: Int64 {
        case turnstile = 0
        case checkpointer = 1
        case sweeper = 2
        /// `SQLiteLogConfiguration.isOwner`, for as long as the log is open.
        case owner = 3
    }

    func tryLock(_ role: Role) -> Bool { tryLock(role.rawValue) }
    func unlock(_ role: Role) { unlock(role.rawValue) }
}
