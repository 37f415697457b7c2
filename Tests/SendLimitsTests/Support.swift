import EventLog
import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

extension ClassifiedError {
    static func code(_ code: Int64, retryAfter: Duration? = nil) -> ClassifiedError {
        let entry = ErrorCatalogue.entry(code: code, hosting: .cloud)!
        return ClassifiedError(
            code: code, httpStatus: entry.httpStatuses.first, errorClass: entry.errorClass, meaning: entry.meaning,
            retryAfter: retryAfter ?? entry.pause)
    }
}

/// One limiter's state with time moved by hand: every message that may go is noted with its moment.
struct Stand {
    static let wall = Timestamp(seconds: 1_790_000_000)

    var state: SendLimiterState
    var now = Duration.zero
    /// In order of leaving.
    var gone: [(id: UInt64, at: Duration)] = []
    var refused: [UInt64: SendRefusal] = [:]
    private var nextID: UInt64 = 0

    init(_ configuration: SendLimitsConfiguration = SendLimitsConfiguration(), share: Double = 1) {
        state = SendLimiterState(configuration, wallAtStart: Self.wall)
        note(state.setShare(share, at: now))
    }

    mutating func note(_ decisions: [SendLimiterState.Decision]) {
        for decision in decisions {
            switch decision {
            case .go(let id): gone.append((id, now))
            case .refuse(let id, let refusal): refused[id] = refusal
            }
        }
    }

    @discardableResult
    mutating func ask(
        _ number: String = "1", pair: String? = nil, template: String? = nil, _ kind: SendAdmission.Kind = .reply
    ) -> UInt64 {
        nextID += 1
        let admission = SendAdmission(
            number: number, pair: pair ?? "\(number):\(nextID)", template: template, kind: kind)
        note(state.admit(nextID, admission, at: now))
        return nextID
    }

    /// Somebody who was let go is about to leave: how long it has to wait.
    mutating func leave(_ number: String) -> Duration { state.departure(number, at: now).at - now }

    mutating func report(_ id: UInt64, _ report: SendReport = .accepted) {
        note(state.report(id, report, at: now))
    }

    /// A status tells that a message, accepted just now, was refused later.
    mutating func refuseLater(_ number: String, _ code: Int64) {
        note(state.refusedLater(.code(code), number: number, pair: "\(number):x", acceptedAt: Self.wall + now, at: now))
    }

    /// A status tells that a message, accepted then, arrived.
    mutating func arrive(_ number: String, acceptedAt: Duration) {
        note(state.arrived(number, acceptedAt: Self.wall + acceptedAt, at: now))
    }

    /// Moves time to `end`, stopping wherever the limiter has something to do.
    mutating func run(until end: Duration) {
        while let wake = state.nextWake, wake <= end {
            now = max(now, wake)
            note(state.poll(at: now))
        }
        now = end
    }

    /// Asks, waits until it went, and reports. Nil when it was refused.
    mutating func send(
        _ number: String = "1", pair: String? = nil, template: String? = nil, _ outcome: SendReport = .accepted
    ) -> Duration? {
        let id = ask(number, pair: pair, template: template)
        run(until: now + .seconds(25))
        guard let went = gone.last(where: { $0.id == id }) else { return nil }
        report(id, outcome)
        return went.at
    }

    mutating func expectSend(
        _ number: String = "1", template: String? = nil, _ outcome: SendReport = .accepted,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let went = send(number, template: template, outcome)
        #expect(went != nil, "it may be sent", sourceLocation: sourceLocation)
    }

    func went(_ id: UInt64) -> Bool { gone.contains { $0.id == id } }
}
