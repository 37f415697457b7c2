/// A record as the log holds it.
///
/// Key, value and headers may lie in the log's own memory until they are asked for. Each reading of `key` and `value`
/// then makes a copy: who needs one more than once keeps it.
public struct StoredRecord: Sendable {
    public var offset: Offset
    public var timestamp: Timestamp
    private var content: any RecordContent
    /// Which of the records in `content` it is.
    private var index: Int32
    private var bytes: Int32

    public init(
        source: TopicPartition, offset: Offset, key: [UInt8]?, value: [UInt8]?, headers: Headers, timestamp: Timestamp
    ) {
        let content = OwnContent(source: source, key: key, value: value, headers: headers)
        self.init(offset: offset, timestamp: timestamp, content: content, byteCount: content.byteCount)
    }

    /// For logs that know a cheaper place for the rest of the record.
    ///
    /// - Parameters:
    ///   - index: which of the records in `content` it is.
    ///   - byteCount: of key, value and headers. Where headers have not been looked at, a fair guess stands for them.
    public init(offset: Offset, timestamp: Timestamp, content: any RecordContent, index: Int = 0, byteCount: Int) {
        self.offset = offset
        self.timestamp = timestamp
        self.content = content
        self.index = Int32(index)
        bytes = Int32(clamping: byteCount)
    }

    public var source: TopicPartition { content.source }
    public var topic: Topic { content.source.topic }
    public var key: [UInt8]? {
        get { content.key(at: Int(index)) }
        set { change(key: newValue, value: value, headers: headers) }
    }
    public var value: [UInt8]? {
        get { content.value(at: Int(index)) }
        set { change(key: key, value: newValue, headers: headers) }
    }
    public var headers: Headers {
        get { content.headers(at: Int(index)) }
        set { change(key: key, value: value, headers: newValue) }
    }

    private mutating func change(key: [UInt8]?, value: [UInt8]?, headers: Headers) {
        self = StoredRecord(
            source: source, offset: offset, key: key, value: value, headers: headers, timestamp: timestamp)
    }

    /// The same for equal keys, and 0 without one; read where the key lies, at a tenth of what a copy of it costs.
    public var keyHash: UInt32 { content.keyHash(at: Int(index)) }

    /// Bytes of key, value and headers: what bounds and limits count.
    public var byteCount: Int { Int(bytes) }

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

/// What makes up stored records besides their places and times, wherever it lies: of one, or of many of a partition that
/// came together, so that passing one on counts one reference and not one for each of its parts. Read from any thread; it
/// never changes.
public protocol RecordContent: AnyObject, Sendable {
    var source: TopicPartition { get }
    func key(at index: Int) -> [UInt8]?
    func value(at index: Int) -> [UInt8]?
    func headers(at index: Int) -> Headers
    /// `Murmur2` of the key, 0 without one.
    func keyHash(at index: Int) -> UInt32
}

/// Of one record.
private final class OwnContent: RecordContent {
    let source: TopicPartition
    private let key: [UInt8]?
    private let value: [UInt8]?
    private let headers: Headers

    init(source: TopicPartition, key: [UInt8]?, value: [UInt8]?, headers: Headers) {
        self.source = source
        self.key = key
        self.value = value
        self.headers = headers
    }

    func key(at index: Int) -> [UInt8]? { key }
    func value(at index: Int) -> [UInt8]? { value }
    func headers(at index: Int) -> Headers { headers }
    func keyHash(at index: Int) -> UInt32 { key.map { Murmur2.hash($0) } ?? 0 }
    var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.packed.count }
}
