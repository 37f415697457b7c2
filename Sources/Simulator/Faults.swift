import EventLog

/// What goes wrong, each as a share of 0 to 1; drawn from the run's seed. Nothing, unless said so.
public struct FaultBehaviour: Sendable {
    /// Of accepted messages: the connection is closed instead of the answer, after the response time.
    public var cutAnswers = 0.0
    /// Of accepted messages: no answer for `silence`, then the connection is closed.
    public var silentAnswers = 0.0
    public var silence: Duration = .seconds(30)
    /// Of statuses: never sent.
    public var lostStatuses = 0.0
    /// Of statuses: sent `lateBy` later.
    public var lateStatuses = 0.0
    public var lateBy: Duration = .seconds(30)
    /// Of statuses: sent twice.
    public var duplicateStatuses = 0.0
    /// The last `maintenanceLength` of every such span refuses all sends with 131057 (on-premise 1011); nil never.
    public var maintenanceEvery: Duration?
    public var maintenanceLength: Duration = .seconds(5)

    public init() {}

    func isMaintenance(_ sinceStart: Duration) -> Bool {
        guard let every = maintenanceEvery, every > .zero else { return false }
        return sinceStart.milliseconds % every.milliseconds >= (every - maintenanceLength).milliseconds
    }
}

/// Draws the faults of a run.
struct Faults: Sendable {
    private let behaviour: FaultBehaviour
    private var random: SplitMix64

    init(_ behaviour: FaultBehaviour, seed: UInt64) {
        self.behaviour = behaviour
        random = SplitMix64(seed: seed)
    }

    /// What becomes of the answer to a message that was accepted.
    mutating func answer() -> APIAnswer.Fate {
        let draw = random.unit()
        if draw < behaviour.cutAnswers { return .cut }
        return draw < behaviour.cutAnswers + behaviour.silentAnswers ? .silence(behaviour.silence) : .given
    }

    /// The statuses as they will really come. A lost one leaves its delay to the next.
    mutating func disturb(_ steps: [StatusPlan.Step]) -> (steps: [StatusPlan.Step], lost: Int) {
        var disturbed: [StatusPlan.Step] = []
        var carried = Duration.zero
        for step in steps {
            // Three draws for each, so that one share leaves the others' faults where they were.
            let (loss, delay, copy) = (random.unit(), random.unit(), random.unit())
            var wait = step.delay + carried
            carried = .zero
            if loss < behaviour.lostStatuses {
                carried = wait
                continue
            }
            if delay < behaviour.lateStatuses { wait += behaviour.lateBy }
            disturbed.append(StatusPlan.Step(status: step.status, delay: wait))
            if copy < behaviour.duplicateStatuses {
                disturbed.append(StatusPlan.Step(status: step.status, delay: .zero))
            }
        }
        return (disturbed, steps.count - Set(disturbed.map(\.status)).count)
    }
}
