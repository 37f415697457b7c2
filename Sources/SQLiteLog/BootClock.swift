import Foundation

/// Time since the machine started, suspend included: leases must end while a laptop sleeps, and no clock setting may
/// prolong them. Comparable among processes of one boot, which `id` names.
struct BootClock: Sendable {
    let id: String

    init() {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        id = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
