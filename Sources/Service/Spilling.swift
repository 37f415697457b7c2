import EventLog
import Logging
import Spill
import WhatsApp

extension Settings {
    /// The spill that `MILLRACE_SPILL` names, in front of the log's producer; nil when the setting is not there. Run it
    /// as a service. Throws, with the setting's name, when the directory cannot be used or another process does.
    public func openSpill(
        before producer: any Producer, logger: Logger
    ) async throws(StartError) -> SpillingProducer? {
        guard let spillDirectory else { return nil }
        var configuration = SpillConfiguration()
        configuration.maxBytes = Int64(spillMaxBytes)
        configuration.logger = logger
        do throws(LogError) {
            return try await SpillingProducer.open(
                directory: spillDirectory, topics: topics.inbound, before: producer, configuration: configuration)
        } catch {
            throw StartError("MILLRACE_SPILL", "\(error)")
        }
    }
}
