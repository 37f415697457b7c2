import EventLog
import Foundation

/// The disk that the spill lies on.
struct SpillDisk: Sendable {
    let directory: String
    let minFreeBytes: Int64
    /// Of the disk the directory lies on.
    let freeBytes: @Sendable (String) -> Int64

    init(_ directory: String, _ configuration: SpillConfiguration) {
        self.directory = directory
        minFreeBytes = configuration.minFreeBytes
        freeBytes = configuration.freeBytes
    }

    /// 0 when the system does not say.
    static func freeBytes(of directory: String) -> Int64 {
        var system = statvfs()
        guard statvfs(directory, &system) == 0 else { return 0 }
        return Int64(clamping: UInt64(system.f_bavail) * UInt64(system.f_frsize))
    }

    func look() -> Int64 { freeBytes(directory) }
}
