import EventLog

/// Works that go through a lane together: records as they were fetched, of which there is nothing else to say, or each with
/// a story of its own.
///
/// What was fetched together is mostly handled together, and then passed on as it is. To copy each record on its way would
/// count references for it, on memory that another core has just written.
struct Works: Sendable {
    private enum Content: Sendable {
        case fetched([StoredRecord], Work.Origin)
        case each([Work])
    }

    private var content: Content

    /// Records of one partition that have not been handled before.
    init(fetched records: [StoredRecord], _ origin: Work.Origin) { content = .fetched(records, origin) }

    init(_ works: [Work]) { content = .each(works) }

    /// What suits with one of them suits with all.
    var areAlike: Bool {
        switch content {
        case .fetched: true
        case .each(let works): works.count == 1
        }
    }

    /// Their place, and that nothing has happened to any of them, if that can be told without a look at each.
    var fetchedFrom: Int? { if case .fetched(_, let origin) = content { origin.place } else { nil } }

    /// Their records, if they need not be put together for it.
    var fetched: [StoredRecord]? { if case .fetched(let records, _) = content { records } else { nil } }

    /// Offset and bytes of those at `range`.
    func forEach(in range: Range<Int>, _ body: (Offset, Int) -> Void) {
        switch content {
        case .fetched(let records, _):
            for index in range { body(records[index].offset, records[index].byteCount) }
        case .each(let works):
            for index in range { body(works[index].record.offset, works[index].bytes) }
        }
    }

    /// To tell more of some of them.
    mutating func changeEach(_ change: (inout Work) -> Void) {
        var works = Array(self)
        content = .each([])
        for index in works.indices { change(&works[index]) }
        content = .each(works)
    }

    mutating func removeAll(where isToGo: (Work) -> Bool) {
        var works = Array(self)
        works.removeAll(where: isToGo)
        if works.count < count { content = .each(works) }
    }
}

extension Works: RandomAccessCollection {
    var startIndex: Int { 0 }
    var endIndex: Int {
        switch content {
        case .fetched(let records, _): records.count
        case .each(let works): works.count
        }
    }

    subscript(index: Int) -> Work {
        switch content {
        case .fetched(let records, let origin): Work(records[index], origin)
        case .each(let works): works[index]
        }
    }
}

extension Works: ExpressibleByArrayLiteral {
    init(arrayLiteral works: Work...) { self.init(works) }
}
