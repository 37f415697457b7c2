import EventLog

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Lets a producer's threads wait until whoever woke them has finished.
///
/// `rd_kafka_produce` wakes the broker's thread while it still holds the partition's lock. Where both share a core, the
/// woken thread takes it over at once, meets the lock and has to sleep again: three changes of thread and four system
/// calls for nothing, and it would have sent a single record where a whole turn's were about to follow. A thread under
/// `SCHED_BATCH` does not take over (sched(7)); on an idle core it runs at once as ever. It keeps its share of the
/// processor, and no privilege is needed; where the system refuses, all is as it was.
enum RDKafkaThreads {
    /// What `make` makes has such threads: a thread begins under the policy of the one that starts it, and librdkafka
    /// starts all of them from here or from one another.
    static func yieldingToWakers<Client>(_ make: () throws(LogError) -> Client) throws(LogError) -> Client {
        #if os(Linux)
        let own = sched_getscheduler(0)
        var parameters = sched_param(sched_priority: 0)
        // A thread with a policy of somebody's choice keeps it.
        guard own == SCHED_OTHER, sched_setscheduler(0, batch, &parameters) == 0 else { return try make() }
        defer { sched_setscheduler(0, own, &parameters) }
        #endif
        return try make()
    }

    #if os(Linux)
    /// `SCHED_BATCH` of <sched.h>, which shows it to GNU sources only.
    private static let batch: Int32 = 3
    #endif
}
