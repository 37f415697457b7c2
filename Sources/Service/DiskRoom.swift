import Telemetry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whether a disk still takes what must be durable.
enum DiskRoom {
    /// Less is no room: a write-ahead log needs as much for a few records.
    static let minFreeBytes: UInt64 = 1 << 20

    /// Of the disk that `path` lies on, which exists; does not wait. A disk that cannot be asked is taken for ready:
    /// whoever writes to it will hear.
    static func readiness(at path: String) -> Readiness {
        var disk = statvfs()
        guard statvfs(path, &disk) == 0 else { return .ready }
        return UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < minFreeBytes ? .notReady("disk full") : .ready
    }
}
