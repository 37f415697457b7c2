/// A record as the log holds it.
///
/// Key, value and headers may lie in the log's own memory until they are asked for. Each reading of `key` and `value`
/// then makes a copy: who needs one more than once keeps it.
public struct StoredRecord: Sendable {
    public var offset: Offset
    public var timestamp: Timestamp
    private var content: any RecordContent

    public init(
        source: TopicPartition, offset: Offset, key: [UInt8]?, value: [UInt8]?, headers: Headers, timestamp: Timestamp
    ) {
        let content = OwnContent(source: source, key: key, value: value, headers: headers)
        self.init(offset: offset, timestamp: timestamp, content: content)
    }

    /// For logs that know a cheaper place for the rest of the record.
    public init(offset: Offset, timestamp: Timestamp, content: any RecordContent) {
        self.offset = offset
        self.timestamp = timestamp
        self.content = content
    }

    public var source: TopicPartition { content.source }
    public var topic: Topic { content.source.topic }
    public var key: [UInt8]? {
        get { content.key }
        set { content = OwnContent(source: source, key: newValue, value: value, headers: headers) }
    }
    public var value: [UInt8]? {
        get { content.value }
        set { content = OwnContent(source: source, key: key, value: newValue, headers: headers) }
    }
    public var headers: Headers {
        get { content.headers }
        set { content = OwnContent(source: source, key: key, value: value, headers: newValue) }
    }

    /// The same for equal keys, and 0 without one; read where the key lies, at a tenth of what a copy of it costs.
    public var keyHash: UInt32 { content.keyHash }

    /// Bytes of key, value and headers: what bounds and limits count.
    public var byteCount: Int { content.byteCount }

    /// The same record in memory of its own. For whoever keeps it long: in the log's memory it may hold on to the whole
    /// answer of a broker that it came in.
    public var detached: StoredRecord {
        if content is OwnContent { return self }
        return StoredRecord(
            source: source, offset: offset, key: key, value: value, headers: headers, timestamp: timestamp)
    }
}

extension StoredRecord: Hashable {
    public static func == (a: StoredRecord, b: StoredRecord) -> Bool {
        a.offset == b.offset && a.timestamp == b.timestamp && a.source == b.source && a.key == b.key
            && a.value == b.value && a.headers == b.headers
    }

    /// Offset and partition name a record.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(offset)
        hasher.combine(source)
    }
}

/// What makes up a stored record besides its place and time, wherever it lies. Read from any thread; it never changes.
public protocol RecordContent: AnyObject, Sendable {
    var source: TopicPartition { get }
    var key: [UInt8]? { get }
    var value: [UInt8]? { get }
    var headers: Headers { get }
    /// `Murmur2` of the key, 0 without one.
    var keyHash: UInt32 { get }
    /// The same at every call. Where headers have not been looked at, a fair guess stands for them.
    var byteCount: Int { get }
}

extension RecordContent {
    public var keyHash: UInt32 { key.map { Murmur2.hash($0) } ?? 0 }
}

/// One object per record: to pass a record on costs one reference count, not one for each of its parts and its topic.
private final class OwnContent: RecordContent {
    let source: TopicPartition
    let key: [UInt8]?
    let value: [UInt8]?
    let headers: Headers

    init(source: TopicPartition, key: [UInt8]?, value: [UInt8]?, headers: Headers) {
        self.source = source
        self.key = key
        self.value = value
        self.headers = headers
    }

    var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.packed.count }
}
