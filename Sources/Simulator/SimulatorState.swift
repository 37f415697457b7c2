import EventLog
import WhatsApp

/// Everything the simulated 360dialog knows. Pure: told the time, it answers with what to send; `Simulator` acts.
struct SimulatorState: Sendable {
    /// A webhook to call. Without a webhook the call counts as unanswered.
    struct Call: Sendable {
        let delivery: Delivery
        let webhook: SimulatedWebhook?
    }

    private let configuration: SimulatorConfiguration
    private var numbers: [SimulatedNumber]
    private var ids: MessageIDs
    private var customers: Customers
    private var schedule: ArrivalSchedule
    private var queue: DeliveryQueue
    private var books = Books()
    private var random: SplitMix64
    private var limits: PlatformLimits
    private var faults: Faults
    private let start: Timestamp
    private var scheduledMessages = 0
    private var nextNumber = 0

    init(_ configuration: SimulatorConfiguration, start: Timestamp) {
        precondition(!configuration.numbers.isEmpty, "a simulator serves at least one number")
        self.configuration = configuration
        numbers = configuration.numbers
        // Independent streams, so that a change of one behaviour leaves the others as they were.
        var seeds = SplitMix64(seed: configuration.seed)
        ids = MessageIDs(seed: seeds.next())
        customers = Customers(configuration.customers, seed: seeds.next())
        schedule = ArrivalSchedule(
            ratePerSecond: configuration.customers.messagesPerSecond, start: start, seed: seeds.next())
        queue = DeliveryQueue(concurrency: configuration.webhooks.concurrency, limit: configuration.webhooks.queueLimit)
        random = SplitMix64(seed: seeds.next())
        limits = PlatformLimits(configuration.limits)
        faults = Faults(configuration.faults, seed: seeds.next())
        self.start = start
    }

    // MARK: Customers

    /// Lets due customers write, and answers which webhooks to call now. Each call must come back to `called`.
    mutating func tick(_ now: Timestamp) -> [Call] {
        for _ in 0..<schedule.due(at: now) {
            if let limit = configuration.customers.messageLimit, scheduledMessages >= limit { break }
            guard let (person, writing) = customers.next() else { break }
            scheduledMessages += 1
            // Customers spread evenly over the numbers.
            let number = nextNumber % numbers.count
            nextNumber += 1
            if write(writing, person: person, number: number, expectsReply: customers.expectsReply(writing), at: now)
                == nil
            {
                books.heldBack()
            }
        }
        return queue.start(at: now).map { Call(delivery: $0, webhook: numbers[$0.number].webhook) }
    }

    /// One text from a phone, a simulated customer's or any other. Nil when too many events wait for their 200.
    mutating func inject(
        _ text: String, phone: String, name: String, number: Int, expectsReply: Bool, at now: Timestamp
    ) -> String? {
        let person = customers.welcome(phone, name: name)
        return write(.text(text), person: person, number: number, expectsReply: expectsReply, at: now)
    }

    private mutating func write(
        _ writing: Customers.Writing, person: Customers.Person, number: Int, expectsReply: Bool, at now: Timestamp
    ) -> String? {
        guard queue.reserve(1) else { return nil }
        let id = ids.next(numbers[number].hosting)
        let body = WebhookBody.message(writing, id: id, from: person, to: numbers[number], at: now)
        queue.add(Delivery(.message(id), number: number, body: body, created: now), due: now)
        books.wrote(id, phone: person.phone, expectsReply: expectsReply, at: now)
        books.promised(events: 1)
        limits.inbound(numbers[number], at: now)
        return id
    }

    // MARK: API

    /// The number an API key belongs to.
    func number(apiKey: String) -> Int? { numbers.firstIndex { $0.apiKey == apiKey } }

    func webhook(number: Int) -> SimulatedWebhook? { numbers[number].webhook }
    mutating func setWebhook(_ webhook: SimulatedWebhook, number: Int) { numbers[number].webhook = webhook }

    func received(phone: String) -> [ReceivedMessage] { customers.person(phone)?.received ?? [] }

    mutating func unauthorized() -> APIAnswer {
        books.refused(status: 401)
        return .unauthorized
    }

    /// Answers a request to send, or to mark as read.
    mutating func send(_ body: [UInt8], number: Int, at now: Timestamp) -> APIAnswer {
        let hosting = numbers[number].hosting
        let request: SendRequest
        do {
            request = try SendRequest(body, hosting: hosting)
        } catch {
            books.refused(status: 400)
            return .refused(error, hosting: hosting)
        }
        switch request {
        case .markAsRead: return markAsRead(number: number)
        case .message(let message): return accept(message, number: number, at: now)
        }
    }

    mutating func markAsRead(number: Int) -> APIAnswer {
        books.markedAsRead()
        return .markedAsRead(numbers[number].hosting)
    }

    /// Why the platform takes no message of this number, or not this one, now.
    private mutating func refusal(of message: SendRequest.Message, number: Int, at now: Timestamp) -> APIAnswer? {
        let hosting = numbers[number].hosting
        if numbers[number].isHeld { return .held(hosting) }
        if configuration.faults.isMaintenance(now - start) { return .maintenance(hosting) }
        let verdict = limits.send(numbers[number], to: message.recipient.key, at: now)
        return verdict == .allowed ? nil : .limited(verdict, hosting: hosting)
    }

    private mutating func accept(_ message: SendRequest.Message, number: Int, at now: Timestamp) -> APIAnswer {
        let hosting = numbers[number].hosting
        if let refusal = refusal(of: message, number: number, at: now) {
            books.refused(status: refusal.status, code: refusal.code)
            return refusal
        }
        let (steps, lost) = faults.disturb(self.steps(of: message))
        guard queue.reserve(steps.count) else {
            books.refused(status: 503, code: APIAnswer.overloaded(hosting).code)
            return .overloaded(hosting)
        }
        let id = ids.next(hosting)
        books.accepted(message, at: now)
        books.promised(events: steps.count)
        books.lost(statuses: lost)
        if let phone = message.recipient.phone {
            let received = ReceivedMessage(
                id: id, type: message.type, text: message.text, quotes: message.quotes, choices: message.choices,
                acceptedAt: now.milliseconds)
            customers.receive(received, phone: phone)
        }
        let sent = SentMessage(
            id: id, recipient: message.recipient, tag: hosting == .cloud ? message.tag : nil,
            isTemplate: message.type == "template")
        // The first status follows the answer, not the request.
        if let plan = StatusPlan(sent, steps[...]) {
            schedule(plan, number: number, after: now + configuration.responseDelay)
        }
        var answer = APIAnswer.accepted(message, id: id, hosting: hosting)
        answer.fate = faults.answer()
        if answer.fate != .given { books.withheldAnswer() }
        return answer
    }

    /// A reaction gets `sent` only; a voice note that is read is also played (Meta: reactions; status webhooks).
    private mutating func steps(of message: SendRequest.Message) -> [StatusPlan.Step] {
        let behaviour = configuration.statuses
        let sent = StatusPlan.Step(status: "sent", delay: behaviour.sentAfter)
        if message.type == "reaction" { return [sent] }
        let delivered = StatusPlan.Step(status: "delivered", delay: behaviour.deliveredAfter)
        guard random.unit() < behaviour.readShare else { return [sent, delivered] }
        let read = StatusPlan.Step(status: "read", delay: behaviour.readAfter)
        let played = StatusPlan.Step(status: "played", delay: behaviour.readAfter)
        return message.isVoice ? [sent, delivered, read, played] : [sent, delivered, read]
    }

    // MARK: Webhooks

    private mutating func schedule(_ plan: StatusPlan, number: Int, after: Timestamp) {
        let step = plan.steps[plan.steps.startIndex]
        let due = after + step.delay
        let name = plan.message.recipient.phone.flatMap { customers.person($0)?.name }
        let body = WebhookBody.status(step.status, of: plan.message, name: name, from: numbers[number], at: due)
        queue.add(Delivery(.status(plan), number: number, body: body, created: due), due: due)
    }

    /// A webhook call ended, with a status or, after nothing came in time, nil. Anything but 200 is called again.
    mutating func called(_ delivery: Delivery, status: Int?, took: Duration, at now: Timestamp) {
        books.called(delivery, status: status, took: took)
        // A status that fails does not hold up the next one: order across calls is not promised.
        if delivery.attempts == 1, case .status(let plan) = delivery.event, let next = plan.next {
            schedule(next, number: delivery.number, after: now)
        }
        guard status != 200 else { return queue.ended() }
        guard now - delivery.created < configuration.webhooks.redeliveryAge else {
            books.abandoned()
            return queue.ended()
        }
        let bound = configuration.webhooks.bound(afterAttempts: delivery.attempts)
        queue.failed(delivery, again: now + bound * (0.5 + random.unit() / 2))
    }

    /// Command ids, each with how many times its message was accepted: what customers really got.
    func deliveries() -> [(command: String, times: Int)] { books.deliveries() }

    func report() -> SimulatorReport { books.snapshot(waiting: queue.open) }
}
