import Foundation
import Synchronization

/// Where effects happen: a file that all workers append to, a line an effect. What a worker has written stays when it is
/// killed, and it shows in which order things happened.
final class EffectBook: Sendable {
    struct Entry {
        var number: Int
        /// The handler had been told that an earlier effect's outcome is unknown.
        var wasTold: Bool
    }

    private struct Read {
        var offset: UInt64 = 0
        var rest = ""
        var known: Set<Int> = []
    }

    private let path: String
    private let descriptor: Int32
    private let read = Mutex(Read())

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchError("\(path) cannot be written") }
    }

    deinit { close(descriptor) }

    /// One call of `write`: lines of several processes do not mix, and a killed process leaves a whole line or none.
    func write(_ entry: Entry) throws {
        let line = "\(entry.number) \(entry.wasTold ? "told" : "first")\n"
        guard Glibc.write(descriptor, line, line.utf8.count) == line.utf8.count else {
            throw BenchError("\(path) takes no more")
        }
    }

    /// Evidence: whether the effect of a record has happened.
    func holds(_ number: Int) throws -> Bool {
        try read.withLock { read in
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            try file.seek(toOffset: read.offset)
            let data = try file.readToEnd() ?? Data()
            read.offset += UInt64(data.count)
            let lines = (read.rest + String(decoding: data, as: UTF8.self)).split(separator: "\n", omittingEmptySubsequences: false)
            read.rest = lines.last.map(String.init) ?? ""
            for line in lines.dropLast() { if let entry = Self.entry(line) { read.known.insert(entry.number) } }
            return read.known.contains(number)
        }
    }

    func entries() throws -> [Entry] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").compactMap(Self.entry)
    }

    private static func entry(_ line: Substring) -> Entry? {
        let words = line.split(separator: " ")
        guard words.count == 2, let number = Int(words[0]) else { return nil }
        return Entry(number: number, wasTold: words[1] == "told")
    }
}
