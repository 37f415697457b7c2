import ArgumentParser
import EventLog
import Foundation
import Logging
import Service
import Spill
import WhatsApp

/// `millrace spill status|drain`: the ingress's spill, in the directory that `MILLRACE_SPILL` names.
struct SpillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spill", abstract: "What the ingress keeps on its disk while Kafka is slow or gone.",
        subcommands: [Status.self, Drain.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Records, bytes and age of what is spilled.", discussion: "Works while the ingress runs.")

        @Option(help: "The directory, instead of MILLRACE_SPILL.") var directory: String?
        @Flag(help: "A line per topic and lane, too; a lane is a sixtieth of a topic's keys.") var lanes = false

        func run() async throws {
            try await withSettings { settings in
                let directory = try settings.spill(directory)
                let status = try await SpillStatus.read(directory: directory)
                let oldest = status.lanes.compactMap(\.oldest).compactMap(\.recordedTime).min()
                print(
                    """
                    records   \(status.records)
                    bytes     \(status.bytes)
                    oldest    \(age(oldest))
                    rejected  \(status.rejected)
                    in use    \(status.isInUse ? "yes" : "no")
                    """)
                guard lanes else { return }
                for lane in status.lanes {
                    print(
                        columns(
                            "\(lane.topic)[\(lane.number)]", 44, "\(lane.records) records", 18, "\(lane.bytes) bytes", 20,
                            age(lane.oldest?.recordedTime)))
                }
            }
        }

        private func age(_ time: Timestamp?) -> String {
            time.map { "\((Timestamp.now - $0).milliseconds / 1_000) s" } ?? "-"
        }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send what is spilled to the log, in order.",
            discussion: "For a directory whose ingress is gone: refused while one runs, which drains by itself. Can be "
                + "stopped at any time.")

        @Option(help: "The directory, instead of MILLRACE_SPILL.") var directory: String?
        @Flag(help: "Send the records again, too, that the log had refused for good.") var rejected = false

        func run() async throws {
            try await withLog { log, settings in
                var settings = settings
                settings.spillDirectory = try settings.spill(directory)
                // To see that there is one, instead of making it.
                _ = try await SpillStatus.read(directory: settings.spillDirectory ?? "")
                var logger = Logger(label: "millrace")
                logger.logLevel = .error
                guard let spill = try await settings.openSpill(before: log.producer, logger: logger) else { return }
                let running = Task { try await spill.run() }
                defer { running.cancel() }
                if rejected { print("\(try await spill.retryRejected()) rejected records are sent again") }
                try await untilEmpty(spill)
                running.cancel()
                try await running.value
            }
        }

        private func untilEmpty(_ spill: SpillingProducer) async throws {
            var told: Int64?
            var looks = 0
            while case let left = spill.heldRecords, left > 0 {
                // A line a second, when there is news.
                if looks % 20 == 0, left != told {
                    print("\(left) records left")
                    told = left
                }
                looks += 1
                try await Task.sleep(for: .milliseconds(50))
            }
            print("the spill is empty")
        }
    }
}

extension Settings {
    fileprivate func spill(_ directory: String?) throws(SettingError) -> String {
        guard let found = directory ?? spillDirectory else {
            throw SettingError("MILLRACE_SPILL", "must name the directory, or --directory")
        }
        return found
    }
}

extension StoredRecord {
    /// When the ingress took it in.
    fileprivate var recordedTime: Timestamp? { headers.string("ce_recordedtime").flatMap(RFC3339.parse) }
}
