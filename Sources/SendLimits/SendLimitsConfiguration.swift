/// Bounds and rates of a `SendLimiter`.
public struct SendLimitsConfiguration: Sendable {
    /// Messages a second, in and out together, of a number that `numbers` does not name. 80 is what the platform gives
    /// every number ("Throughput"); a coexistence number has 20, an upgraded one 1,000.
    public var defaultRate: Double
    /// Part of the rate that is used: the platform counts arrivals, and the way there is uneven.
    public var margin: Double
    /// Messages that wait for their turn, all numbers together; of these at most half are bulk. Beyond: `.full`.
    public var maxWaiting: Int
    /// Messages of one number and kind that wait.
    public var maxWaitingPerNumber: Int
    /// Messages let go and not yet reported. As many as the transport has connections, so that nobody who was let go
    /// waits there behind another.
    public var maxInFlight: Int
    /// Of one number: a number whose answers are slow leaves room for the others.
    public var maxInFlightPerNumber: Int
    /// A message that cannot leave within this time is refused with the time to come again.
    public var maxWait: Duration
    /// Numbers with a state of their own. Beyond: `.full`.
    public var maxNumbers: Int
    public var maxPairs: Int
    public var maxTemplates: Int
    /// A paused or missing template is tried again after that time, should the event that frees it have been missed.
    public var templateHold: Duration

    public init(
        defaultRate: Double = 80, margin: Double = 0.995, maxWaiting: Int = 4_096, maxWaitingPerNumber: Int = 1_024,
        maxInFlight: Int = 256, maxInFlightPerNumber: Int = 192, maxWait: Duration = .seconds(20),
        maxNumbers: Int = 10_000, maxPairs: Int = 100_000, maxTemplates: Int = 10_000,
        templateHold: Duration = .seconds(3_600)
    ) {
        precondition(
            defaultRate > 0 && margin > 0 && margin <= 1 && maxWaiting > 1 && maxWaitingPerNumber > 0 && maxInFlight > 0
                && maxInFlightPerNumber > 0 && maxWait > .zero && maxNumbers > 0 && maxPairs > 0 && maxTemplates > 0
                && templateHold > .zero,
            "the bounds of a limiter are positive")
        self.defaultRate = defaultRate
        self.margin = margin
        self.maxWaiting = maxWaiting
        self.maxWaitingPerNumber = maxWaitingPerNumber
        self.maxInFlight = maxInFlight
        self.maxInFlightPerNumber = maxInFlightPerNumber
        self.maxWait = maxWait
        self.maxNumbers = maxNumbers
        self.maxPairs = maxPairs
        self.maxTemplates = maxTemplates
        self.templateHold = templateHold
    }
}

/// What is configured about a sending number.
public struct SendingNumber: Sendable, Hashable {
    /// `phone_number_id`.
    public var id: String
    /// WABA id: numbers of one account share its limit (error 80007).
    public var account: String?
    /// Messages a second, in and out together.
    public var rate: Double

    public init(id: String, account: String? = nil, rate: Double) {
        precondition(rate > 0, "a number that may send nothing is not configured")
        self.id = id
        self.account = account
        self.rate = rate
    }
}
