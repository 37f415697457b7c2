/// Works in their order, in the stretches in which they came: what came together is mostly handled together, and then
/// passed on as it is.
struct WorkQueue {
    private struct Stretch {
        var works: Works
        var taken = 0
    }

    private var stretches = Fifo<Stretch>()

    var isEmpty: Bool { stretches.isEmpty }
    var first: Work? { stretches.first.map { $0.works[$0.taken] } }

    /// Works, not none, behind all others.
    mutating func append(_ works: Works) { stretches.append(Stretch(works: works)) }

    /// Works, not none, before all others.
    mutating func prepend(_ works: Works) { stretches.prepend([Stretch(works: works)]) }

    /// Takes works from the front: up to `most`, and while they suit.
    mutating func popFirst(upTo most: Int, while suits: (Work) -> Bool) -> Works {
        guard let first = stretches.first else { return [] }
        let isLargeEnough = first.works.count > most / 2 || stretches.count == 1
        if isLargeEnough, first.works.areAlike, first.taken == 0, first.works.count <= most {
            return suits(first.works[0]) ? stretches.popFirst()?.works ?? [] : []
        }
        var taken: [Work] = []
        while taken.count < most, let work = self.first, suits(work) {
            taken.append(work)
            dropFirst()
        }
        return Works(taken)
    }

    private mutating func dropFirst() {
        stretches[0].taken += 1
        if stretches[0].taken == stretches[0].works.count { _ = stretches.popFirst() }
    }
}
