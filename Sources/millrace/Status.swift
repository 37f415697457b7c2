import ArgumentParser
import EventLog
import Foundation
import Service
import WhatsApp

/// `millrace status <message id>`: what became of one sent message.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What became of one sent message.",
        discussion: "Reads the status-tracker's topic. A command that never became a message has its command id there.")

    @Argument(help: "Message id (wamid…) or command id.") var id: String
    @Flag(help: "Print the record's JSON as it is on the topic.") var json = false

    func run() async throws {
        try await withLog { log, settings in
            let topic = settings.topics.messageState
            let all = try await log.admin.partitions(of: topic)
            let key = Array(id.utf8)
            let home = all[Int(Murmur2.partition(of: key, partitions: Int32(all.count)))]
            var newest: StoredRecord?
            try await Scan(log: log).forEachRecord(of: [home]) { if $0.key == key { newest = $0 } }
            guard let value = newest?.value, let state = MessageState(decoding: value) else {
                StandardError.write(line: "millrace: nothing is known of this id")
                throw ExitCode(1)
            }
            print(json ? String(decoding: value, as: UTF8.self) : describe(state))
        }
    }

    private func describe(_ state: MessageState) -> String {
        var lines = ["\(state.messageID ?? state.commandID ?? id)  \(state.summary)"]
        for entry in state.timeline {
            let time = Date(timeIntervalSince1970: Double(entry.at.milliseconds) / 1_000)
            let error = entry.errorCode.map { "  error \($0)" } ?? ""
            lines.append("  \(time.formatted(.iso8601.time(includingFractionalSeconds: true)))  \(entry.word)\(error)")
        }
        return lines.joined(separator: "\n")
    }
}
