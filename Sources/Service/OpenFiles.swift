import Foundation

/// How many files and sockets the process may have open.
public enum OpenFiles {
    /// Takes as much as the system allows: many systems start a process with 1,024, which is fewer than the ingress has
    /// connections, and allow it far more.
    static func raiseLimit() {
        var limit = current
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    public static var limit: Int { Int(clamping: current.rlim_cur) }

    /// Those that are open now.
    public static var count: Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0 }

    private static var current: rlimit {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return limit
    }
}
