import EventLog
import Logging
import Spill
import WhatsApp

extension Settings {
    /// The spill that `MILLRACE_SPILL` names, in front of the log's producer; nil when the setting is not there. Run it
    /// as a service. `.unavailable` while another process uses the directory.
    public func openSpill(
        before producer: any Producer, logger: Logger
    ) async throws(LogError) -> SpillingProducer? {
        guard let spillDirectory else { return nil }
        var configuration = SpillConfiguration()
        configuration.maxBytes = Int64(spillMaxBytes)
        configuration.logger = logger
        return try await SpillingProducer.open(
            directory: spillDirectory, topics: topics.inbound, before: producer, configuration: configuration)
    }
}
