import EventLog
import FoundationEssentials

extension Timestamp {
    /// The system's wall clock.
    static var wall: Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)) }
}
