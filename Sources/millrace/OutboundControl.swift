import ArgumentParser
import EventLog
import SendLimits
import Service
import WhatsApp

/// `millrace outbound status|pause|resume`: campaigns stand still, while replies go on.
struct OutboundControl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbound", abstract: "Pause campaigns, and let them go on.",
        discussion: """
            The word goes over the log: every instance of the sender heeds it, also one that starts later. What is under way \
            ends; what waits keeps its order and expires in its time. Each instance shows whatsapp_bulk_paused.
            """,
        subcommands: [Status.self, Pause.self, Resume.self])

    /// What can be paused: replies cannot, and a number is held by itself.
    enum Target: String, ExpressibleByArgument, CaseIterable { case bulk }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Whether campaigns are paused, and since when.")

        func run() async throws {
            try await withLog { log, settings in
                guard let last = try await OutboundControl.last(log, settings.topics), last.isPaused else {
                    return print("bulk: not paused")
                }
                print("bulk: paused since \(RFC3339.string(last.at))")
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let no more campaign messages out.")
        @Argument(help: "bulk: what is on the outbound-bulk topic.") var target: Target
        func run() async throws { try await OutboundControl.say(true) }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let campaigns go on; they begin within a minute.")
        @Argument(help: "bulk: what is on the outbound-bulk topic.") var target: Target
        func run() async throws { try await OutboundControl.say(false) }
    }

    private static func say(_ isPaused: Bool) async throws {
        try await withLog { log, settings in
            _ = try await log.produce([BulkPause(isPaused: isPaused, at: .now).record(topic: settings.topics.sendLimits)])
            print("bulk: \(isPaused ? "paused" : "resumed")")
        }
    }

    /// The last word of the topic.
    static func last(_ log: any Log, _ topics: Topics) async throws -> BulkPause? {
        var last: BulkPause?
        try await Scan(log: log).forEachRecord(of: log.admin.partitions(of: topics.sendLimits)) { record in
            if let pause = record.value.flatMap(BulkPause.init(value:)) { last = pause }
        }
        return last
    }
}
