/// The people who write, what each got from the business lately, and whose turn it is.
struct Customers: Sendable {
    struct Person: Sendable {
        let phone: String
        let name: String
        /// The last few, oldest first.
        var received: [ReceivedMessage] = []
    }

    /// What a person writes next.
    enum Writing: Sendable, Hashable {
        case text(String)
        case image
        case reaction(to: String)
        case tap(ReceivedMessage.Choice, on: String)
    }

    /// Received messages kept per person.
    static let memory = 10
    /// People who are not simulated customers but were written to, or made to write, over the API.
    static let guests = 10_000

    private let behaviour: CustomerBehaviour
    private var regulars: [Person]
    private var indices: [String: Int]
    private var guests = BoundedTable<String, Person>(capacity: Self.guests)
    private var random: SplitMix64
    private var turn = 0
    private var order: [Int]

    init(_ behaviour: CustomerBehaviour, seed: UInt64) {
        precondition((0...8_999_999).contains(behaviour.count), "customers have seven digits of their own")
        self.behaviour = behaviour
        random = SplitMix64(seed: seed)
        regulars = []
        indices = [:]
        for index in 0..<behaviour.count {
            // 555 numbers belong to nobody.
            let person = Person(phone: "1555\(1_000_000 + index)", name: Self.name(using: &random))
            indices[person.phone] = index
            regulars.append(person)
        }
        order = Array(regulars.indices).shuffled(using: &random)
    }

    func person(_ phone: String) -> Person? {
        indices[phone].map { regulars[$0] } ?? guests[phone]
    }

    /// The known person, or a new guest of that name.
    mutating func welcome(_ phone: String, name: String) -> Person {
        if let known = person(phone) { return known }
        let guest = Person(phone: phone, name: name)
        _ = guests.set(phone, guest)
        return guest
    }

    /// Puts a message into the person's hands.
    mutating func receive(_ message: ReceivedMessage, phone: String) {
        func add(to person: inout Person) {
            person.received.append(message)
            if person.received.count > Self.memory { person.received.removeFirst() }
        }
        if let index = indices[phone] {
            add(to: &regulars[index])
        } else {
            _ = welcome(phone, name: "Guest")
            _ = guests.change(phone) { add(to: &$0) }
        }
    }

    /// Who writes next, and what. Nil when there are no customers.
    mutating func next() -> (Person, Writing)? {
        guard !order.isEmpty else { return nil }
        if turn == order.count {
            turn = 0
            order.shuffle(using: &random)
        }
        let person = regulars[order[turn]]
        turn += 1
        return (person, writing(of: person))
    }

    func expectsReply(_ writing: Writing) -> Bool {
        switch writing {
        case .text(let text): behaviour.lines.first { $0.text == text }?.expectsReply ?? true
        case .image: behaviour.expectsReplyToImages
        case .tap: behaviour.expectsReplyToTaps
        case .reaction: false
        }
    }

    private mutating func writing(of person: Person) -> Writing {
        let draw = random.unit()
        let last = person.received.last
        if draw < behaviour.imageShare { return .image }
        if draw < behaviour.imageShare + behaviour.reactionShare, let last { return .reaction(to: last.id) }
        if draw < behaviour.imageShare + behaviour.reactionShare + behaviour.tapShare, let last,
            let choice = last.choices.randomElement(using: &random)
        {
            return .tap(choice, on: last.id)
        }
        return behaviour.lines.randomElement(using: &random).map { .text($0.text) } ?? .image
    }

    private static func name(using random: inout SplitMix64) -> String {
        let first = [
            "Ana", "Ben", "Chloë", "Davide", "Emine", "Femi", "Grażyna", "Hana", "İsmail", "José", "Кира", "Lê", "美咲",
        ]
        return "\(first.randomElement(using: &random)!) \(UnicodeScalar(UInt8.random(in: 65...90, using: &random)))."
    }
}
