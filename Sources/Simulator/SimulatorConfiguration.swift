import EventLog
import WhatsApp

/// What the simulated 360dialog is like. Every value has a default that suits one machine.
public struct SimulatorConfiguration: Sendable {
    /// Address to listen on.
    public var host = "127.0.0.1"
    /// Port to listen on; 0 takes any free one, see `Simulator.port()`.
    public var port = 8360
    /// The business numbers it serves; a request's `D360-API-KEY` says which one it is for.
    public var numbers: [SimulatedNumber]
    public var customers = CustomerBehaviour()
    public var statuses = StatusBehaviour()
    public var webhooks = WebhookBehaviour()
    public var limits = LimitBehaviour()
    public var faults = FaultBehaviour()
    /// How long the API thinks before it answers a send.
    public var responseDelay: Duration = .milliseconds(20)
    /// Names the run: customers, their texts and all ids follow from it. Two runs with one seed on the same log look
    /// like redelivery, so take a new one for each run unless that is wanted.
    public var seed: UInt64

    /// With a seed drawn by the system unless one is given.
    public init(numbers: [SimulatedNumber], seed: UInt64 = .random(in: .min ... .max)) {
        self.numbers = numbers
        self.seed = seed
    }
}

/// One business number (360dialog: a channel).
public struct SimulatedNumber: Sendable {
    public var apiKey: String
    public var hosting: Hosting
    public var phoneNumberID: String
    public var wabaID: String
    public var displayPhoneNumber: String
    /// Messages a second, instead of `LimitBehaviour.numberRate`.
    public var rate: Double?
    /// The account is locked: every send is refused with 131031 (on-premise 402), until somebody acts.
    public var isHeld = false
    /// Where its events go. Without one they wait, and are redelivered once one is set over the API.
    public var webhook: SimulatedWebhook?

    public init(
        apiKey: String, hosting: Hosting = .cloud, phoneNumberID: String = "700100200300501",
        wabaID: String = "900100200300401", displayPhoneNumber: String = "15550009001", webhook: SimulatedWebhook? = nil
    ) {
        self.apiKey = apiKey
        self.hosting = hosting
        self.phoneNumberID = phoneNumberID
        self.wabaID = wabaID
        self.displayPhoneNumber = displayPhoneNumber
        self.webhook = webhook
    }
}

/// A webhook as `POST /v1/configs/webhook` sets it: the headers are sent with every call.
public struct SimulatedWebhook: Sendable, Hashable {
    public var url: String
    public var headers: [String: String]

    public init(url: String, headers: [String: String] = [:]) {
        self.url = url
        self.headers = headers
    }
}

/// Who writes, what and how often.
public struct CustomerBehaviour: Sendable {
    /// They write in turn, so each sends `messagesPerSecond / count` messages a second.
    public var count = 20
    /// Of all customers together, spread at random (an open loop); 0 keeps them silent.
    public var messagesPerSecond: Double = 1
    /// They fall silent after so many messages in all; nil never.
    public var messageLimit: Int?
    public var lines = Line.examples
    /// Share of messages that are photos.
    public var imageShare = 0.05
    /// Share of messages that are a thumb on what the business sent last; never expects a reply.
    public var reactionShare = 0.05
    /// Share of messages that tap a button or list row the business sent last.
    public var tapShare = 0.2
    public var expectsReplyToImages = true
    public var expectsReplyToTaps = true

    public init() {}

    /// A text customers write, and whether the rules under test answer it.
    public struct Line: Sendable, Hashable {
        public var text: String
        public var expectsReply: Bool

        public init(_ text: String, expectsReply: Bool = true) {
            self.text = text
            self.expectsReply = expectsReply
        }

        public static let examples = [
            Line("hello"), Line("Hi there 👋"), Line("What is the price of the blue kettle?"),
            Line("opening hours"), Line("¿Cuál es el precio?"), Line("Wann habt ihr geöffnet?"),
            Line("menu"), Line("Is it back in stock?"), Line("Merci beaucoup !"),
        ]
    }
}

/// What becomes of an accepted message. Each delay counts from the event before it.
public struct StatusBehaviour: Sendable {
    public var sentAfter: Duration = .milliseconds(50)
    public var deliveredAfter: Duration = .milliseconds(150)
    public var readAfter: Duration = .milliseconds(800)
    /// Share of delivered messages that are read.
    public var readShare = 0.8

    public init() {}
}

/// How webhooks are called.
public struct WebhookBehaviour: Sendable {
    /// An answer later than this counts as none. 360dialog gives 5 seconds.
    public var timeout: Duration = .seconds(5)
    /// Calls under way at once.
    public var concurrency = 64
    /// Delay after the first failure; doubles with each further one, half of it at random.
    public var redeliveryBase: Duration = .milliseconds(500)
    public var redeliveryCap: Duration = .seconds(30)
    /// An event is given up when it is older than this. 360dialog says 7 days.
    public var redeliveryAge: Duration = .seconds(7 * 86_400)
    /// Events that wait for their 200. Beyond it customers are held back and sends refused as overloaded (the
    /// on-premise client's callback queue has this size).
    public var queueLimit = 100_000

    public init() {}

    /// Delay after `attempts` failed calls, before the random part.
    func bound(afterAttempts attempts: Int) -> Duration {
        min(redeliveryCap, redeliveryBase * (1 << min(max(attempts - 1, 0), 30)))
    }
}
