import CRdKafka
import EventLog

/// A `rd_kafka_conf_t`: filled here, then taken by the client it makes, or freed here.
final class RDKafkaConfiguration {
    private var pointer: OpaquePointer?
    private let context: RDKafkaContext
    private let userProperties: [String: String]

    /// `settings` are Millrace's, `properties` the user's, which win.
    ///
    /// Throws `.invalidConfiguration` naming the property and never its value: it may be a password.
    init(
        _ settings: [String: String], properties: [String: String], context: RDKafkaContext
    ) throws(LogError) {
        pointer = rd_kafka_conf_new()
        self.context = context
        userProperties = properties
        rd_kafka_conf_set_log_cb(pointer, logCallback)
        for (name, value) in settings where properties[name] == nil { try set(name, value) }
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            if RDKafkaSettings.reserved.contains(name) {
                throw LogError(.invalidConfiguration, "\(name): cannot be set, the log depends on it")
            }
            try set(name, value)
        }
    }

    deinit {
        if let pointer { rd_kafka_conf_destroy(pointer) }
    }

    private func set(_ name: String, _ value: String) throws(LogError) {
        switch rd_kafka_conf_set(pointer, name, value, nil, 0) {
        case RD_KAFKA_CONF_OK: return
        case RD_KAFKA_CONF_UNKNOWN:
            throw LogError(.invalidConfiguration, "\(name): no such property in this librdkafka")
        default: throw LogError(.invalidConfiguration, "\(name): value not allowed")
        }
    }

    func reportDeliveriesAsEvents() {
        rd_kafka_conf_set_events(pointer, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR)
    }

    func callOnRebalance() {
        rd_kafka_conf_set_rebalance_cb(pointer, rebalanceCallback)
    }

    /// Blocks for a moment (threads start, certificates load): not for the cooperative pool.
    func makeClient(_ type: rd_kafka_type_t) throws(LogError) -> RDKafkaClient {
        let opaque = Unmanaged.passRetained(context)
        rd_kafka_conf_set_opaque(pointer, opaque.toOpaque())
        var reason = [CChar](repeating: 0, count: 512)
        guard let handle = rd_kafka_new(type, pointer, &reason, reason.count) else {
            opaque.release()
            let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw LogError(.invalidConfiguration, withoutValues(text))
        }
        pointer = nil
        return RDKafkaClient(handle: handle, context: opaque)
    }

    /// The library's words may quote a value; what the user gave is taken out.
    private func withoutValues(_ text: String) -> String {
        var text = text
        for (name, value) in userProperties.sorted(by: { $0.value.utf8.count > $1.value.utf8.count })
        where value.utf8.count > 3 {
            while let quoted = text.firstRange(of: value) { text.replaceSubrange(quoted, with: "<\(name)>") }
        }
        return text
    }
}
