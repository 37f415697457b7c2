/// Works in their order, in the stretches in which they came: what came together is mostly handled together, and then
/// passed on as it is.
struct WorkQueue {
    private struct Stretch {
        var works: [Work]
        var taken = 0
        /// What suits with one of them suits with all.
        var isAlike: Bool
    }

    private var stretches = Fifo<Stretch>()

    var isEmpty: Bool { stretches.isEmpty }
    var first: Work? { stretches.first.map { $0.works[$0.taken] } }

    /// Works, not none, behind all others.
    mutating func append(_ works: [Work], isAlike: Bool) { stretches.append(Stretch(works: works, isAlike: isAlike)) }

    /// Works, not none, before all others.
    mutating func prepend(_ works: [Work]) { stretches.prepend([Stretch(works: works, isAlike: works.count == 1)]) }

    /// Takes works from the front: up to `most`, and while they suit.
    mutating func popFirst(upTo most: Int, while suits: (Work) -> Bool) -> [Work] {
        guard let first = stretches.first else { return [] }
        let isLargeEnough = first.works.count > most / 2 || stretches.count == 1
        if isLargeEnough, first.isAlike, first.taken == 0, first.works.count <= most {
            return suits(first.works[0]) ? stretches.popFirst()?.works ?? [] : []
        }
        var taken: [Work] = []
        while taken.count < most, let work = self.first, suits(work) {
            taken.append(work)
            dropFirst()
        }
        return taken
    }

    private mutating func dropFirst() {
        stretches[0].taken += 1
        if stretches[0].taken == stretches[0].works.count { _ = stretches.popFirst() }
    }
}
