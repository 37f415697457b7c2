import Foundation

/// Rival ingresses and their load tools, from a folder that is built once in a scratch copy (it may be read-only).
struct Peers {
    private let folder: URL

    /// Copies and builds. Needs gcc, g++, make, wrk, librdkafka and simdjson, and PyPI for aiohttp.
    init(copyOf source: String) throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "millrace-bench-peers")
        folder = scratch
        if !FileManager.default.fileExists(atPath: scratch.path) {
            try run(["cp", "-r", source, scratch.path])
            try run(["chmod", "-R", "u+w", scratch.path])
        }
        for part in ["broker", "load", "cpp-epoll"] { try run(["make", "-s", "-C", part], in: scratch) }
        if !FileManager.default.fileExists(atPath: scratch.appending(path: ".venv/bin/python").path) {
            try run(["python3", "-m", "venv", ".venv"], in: scratch)
            try run([".venv/bin/pip", "install", "-q", "aiohttp", "aiokafka", "uvloop", "orjson"], in: scratch)
        }
    }

    func broker() throws -> (ServerProcess, bootstrap: String) {
        let process = try ServerProcess(["broker/mockbroker"], in: folder, capturesOutput: true)
        return (process, try process.firstLine())
    }

    /// Linger 0 and five requests in flight, as Millrace has them.
    func server(_ folderName: String, port: Int, bootstrap: String, _ more: [String: String]) throws -> ServerProcess {
        let environment = [
            "PORT": "\(port)", "BOOTSTRAP": bootstrap, "LINGER_MS": "0", "AUTH_B64": Self.credentials,
            "KAFKA_OPTS": "max.in.flight=5",
        ]
        return try ServerProcess(
            ["bash", folderName + "/run.sh"], environment: environment.merging(more) { $1 }, in: folder)
    }

    private static let credentials = "d2FiYTpzZWNyZXQ="

    /// wrk. Its result line: requests, microseconds, bad answers, connection errors, time-outs, p50, p99, max in µs.
    func closedLoop(port: Int, path: String, connections: Int, seconds: Double) throws -> Measured {
        let text = try run(
            ["wrk", "-t1", "-c\(connections)", "-d\(Int(seconds))s", "--timeout", "5s", "-s", "load/wrk.lua", "http://127.0.0.1:\(port)\(path)"],
            environment: ["AUTH_B64": Self.credentials, "PAYLOADS": "load/payloads.jsonl"], in: folder)
        let line = text.split(separator: "\n").first { $0.hasPrefix("RESULT") } ?? ""
        let numbers = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        guard numbers.count == 8 else { throw BenchError("wrk said: \(text.suffix(400))") }
        return Measured(
            requests: numbers[0], requestsPerSecond: numbers[0] / numbers[1] * 1e6, p50: numbers[5] / 1_000, p99: numbers[6] / 1_000, p999: .nan,
            errors: Int(numbers[2] + numbers[3] + numbers[4]))
    }

    /// rateload: names and numbers by turns, times in µs.
    func openLoop(port: Int, path: String, rate: Double, connections: Int, seconds: Double) throws -> Measured {
        let text = try run(
            ["load/rateload", "127.0.0.1", "\(port)", path, "load/payloads.jsonl", Self.credentials, "\(Int(rate))", "\(Int(seconds))", "\(connections)", "1"],
            in: folder)
        let words = text.split(whereSeparator: \.isWhitespace).dropFirst().map(String.init)
        var numbers: [String: Double] = [:]
        for at in stride(from: 0, to: words.count - 1, by: 2) { numbers[words[at]] = Double(words[at + 1]) }
        guard let rate = numbers["got"], let p50 = numbers["p50"], let p99 = numbers["p99"], let p999 = numbers["p999"] else {
            throw BenchError("rateload said: \(text.suffix(400))")
        }
        let errors = ["non200", "lost", "unanswered"].reduce(0) { $0 + Int(numbers[$1] ?? 0) }
        return Measured(
            requests: (numbers["ok"] ?? 0) + (numbers["non200"] ?? 0), requestsPerSecond: rate, p50: p50 / 1_000,
            p99: p99 / 1_000, p999: p999 / 1_000, errors: errors)
    }
}
