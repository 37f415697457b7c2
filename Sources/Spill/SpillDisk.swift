import EventLog
import Foundation

/// The disk that the spill lies on.
///
/// A disk that others fill to the last byte would hold what was sent for ever: removing it needs some room first. So
/// `reserveBytes` are set aside in a file beside the spill while there is plenty, and given up when they are needed.
struct SpillDisk: Sendable {
    static let reserveBytes: Int64 = 16 << 20

    let directory: String
    let minFreeBytes: Int64
    /// Of the disk the directory lies on.
    let freeBytes: @Sendable (String) -> Int64
    private var reserve: String { "\(directory)/spill.reserve" }

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

    /// What is free, the reserve included, which is set aside again when there is room for it.
    func look() -> Int64 {
        let free = freeBytes(directory)
        if hasReserve { return free + Self.reserveBytes }
        if minFreeBytes > 0, free - 2 * Self.reserveBytes >= minFreeBytes { setAside() }
        return free
    }

    /// Before the spill is opened: a full disk would not let it.
    func prepare() { if freeBytes(directory) < Self.reserveBytes { giveUpReserve() } }

    func giveUpReserve() { unlink(reserve) }

    var hasReserve: Bool {
        var info = stat()
        return stat(reserve, &info) == 0 && info.st_size >= Self.reserveBytes
    }

    private func setAside() {
        let file = open(reserve, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        let isSet = posix_fallocate(file, 0, Int(Self.reserveBytes)) == 0
        close(file)
        if !isSet { giveUpReserve() }
    }
}
