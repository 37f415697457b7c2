/// A record on its way to the log.
// `Optional` is written out: a variable of `T?` is nil before the initialiser sets it, and a struct with such variables is
// made in memory and then copied, with all its references (Swift 6.3).
public struct Record: Sendable, Hashable {
    public var topic: Topic
    /// Nil lets the log choose by the key, as Kafka's `murmur2_random` does.
    public var partition: Optional<Int32>
    public var key: Optional<[UInt8]>
    /// Nil is a tombstone: on a compacted topic it deletes the key.
    public var value: Optional<[UInt8]>
    public var headers: Headers
    /// Nil lets the log take its own clock.
    public var timestamp: Optional<Timestamp>

    public init(
        topic: Topic, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?, headers: Headers = Headers(),
        timestamp: Timestamp? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// Bytes of key, value and headers: what bounds and limits count. Inlined, or asking a record of an array would copy it.
    @inlinable
    public var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.packed.count }
}

/// Where a produced record came to lie.
public struct RecordPosition: Sendable, Hashable {
    public var partition: TopicPartition
    public var offset: Offset

    public init(_ partition: TopicPartition, _ offset: Offset) {
        self.partition = partition
        self.offset = offset
    }
}
