/// An event log: partitioned topics that producers append to and consumer groups read.
///
/// Two implementations exist, Kafka (`KafkaLog`) and SQLite (`SQLiteLog`), and one conformance suite in
/// `EventLogTesting` holds them to the same behaviour. Code above this module never asks which one it has.
public protocol Log: Sendable {
    /// The process's producer; one is enough, it batches what concurrent callers give it.
    var producer: any Producer { get }
    var admin: any Admin { get }

    /// Joins a consumer group. Assignments arrive as events of the consumer.
    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer

    /// A reader outside of any group, for records by offset, replay and broadcast inputs.
    func reader() async throws(LogError) -> any Reader

    /// Flushes the producer, leaves all groups and frees everything. Calls after it throw `.closed`.
    func close() async
}

extension Log {
    /// Waits until every record is durable. See `Producer.send`.
    @discardableResult
    public func produce(_ records: [Record]) async throws(LogError) -> [RecordPosition] {
        try await producer.produce(records)
    }

    /// Lends a reader to `body`, and closes it whatever comes of that.
    public func withReader<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (any Reader) async throws -> Result
    ) async throws -> Result {
        let reader = try await reader()
        do {
            let result = try await body(reader)
            await reader.close()
            return result
        } catch {
            await reader.close()
            throw error
        }
    }
}
