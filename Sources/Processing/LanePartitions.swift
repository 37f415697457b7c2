import EventLog

/// The input partitions of a lane, a few: by place, as records name theirs (`Work.place`), and by name.
///
/// Asked and changed for each event of the lane, where they are: a dictionary would hash the topic's name, and hand out
/// copies.
struct LanePartitions: Sendable {
    private(set) var sources: [TopicPartition] = []
    private var states: [PartitionState] = []

    var indices: Range<Int> { states.indices }

    mutating func append(_ source: TopicPartition, _ state: PartitionState) {
        sources.append(source)
        states.append(state)
    }

    subscript(place: Int) -> PartitionState {
        get { states[place] }
        _modify { yield &states[place] }
    }

    subscript(source: TopicPartition) -> PartitionState? { place(of: source).map { states[$0] } }

    /// Nil for what is not of the lane.
    func place(of source: TopicPartition) -> Int? { sources.firstIndex(of: source) }

    var standings: [TopicPartition: PartitionStanding] {
        Dictionary(uniqueKeysWithValues: zip(sources, states.lazy.map(\.standing)))
    }
}
