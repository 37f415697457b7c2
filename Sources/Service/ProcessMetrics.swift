import EventLog
import Foundation
import Metrics
import Synchronization
import Telemetry

#if canImport(Glibc)
import Glibc
#endif

/// The process as the kernel sees it, and its readiness; read when the metrics are. Linux' `proc(5)`.
enum ProcessMetrics {
    static func observe(_ health: Health, in factory: any MetricsFactory) {
        let ready = ServiceMetric.ready.gauge(in: factory)
        let cpu = ServiceMetric.cpu.sum(in: factory)
        let memory = ServiceMetric.memory.gauge(in: factory)
        let openFiles = ServiceMetric.openFiles.gauge(in: factory)
        ServiceMetric.started.gauge(in: factory).record(Double(Timestamp.now.milliseconds) / 1_000)
        let counted = Mutex(0.0)
        factory.whenRead {
            ready.record(health.report.isReady ? 1 : 0)
            let used = cpuSeconds()
            counted.withLock { counted in
                cpu.increment(by: max(0, used - counted))
                counted = max(counted, used)
            }
            if let bytes = residentBytes() { memory.record(bytes) }
            if let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
                openFiles.record(files.count)
            }
        }
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Second number of `statm`, in pages.
    private static func residentBytes() -> Int? {
        guard let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return statm.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }
}
