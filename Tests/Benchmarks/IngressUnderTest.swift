import Foundation

/// Starts one server at a time and puts load on it.
final class IngressUnderTest {
    enum Contender: String {
        case kafka = "millrace", spilling = "millrace with a spill", embedded
        case limit = "limit: NIO answers 200", cpp = "cpp-headers", aiohttp = "aiohttp-1"
    }

    let contenders: [Contender]
    private let port: Int
    private let peers: Peers?
    private let broker: ServerProcess
    private let bootstrap: String
    private let scratch: URL
    private let bodies = Payloads.bodies()
    private let preload: String?

    /// - Parameter preload: a library for Millrace's process alone.
    init(port: Int, peers: Peers?, preload: String? = nil) throws {
        self.port = port
        self.preload = preload
        self.peers = peers
        contenders = peers == nil ? [.kafka, .limit] : [.kafka, .cpp, .aiohttp, .limit]
        scratch = FileManager.default.temporaryDirectory.appending(path: "millrace-bench-\(getpid())")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        let channels = """
            channels:
              bench:
                hosting: cloud
                webhook:
                  basic: { user: waba, password: secret }
            """
        try channels.write(to: scratch.appending(path: "channels.yaml"), atomically: true, encoding: .utf8)
        if let peers {
            (broker, bootstrap) = try peers.broker()
        } else {
            broker = try ServerProcess(
                [program("millrace-bench"), "broker"], capturesOutput: true)
            bootstrap = try broker.firstLine()
        }
    }

    deinit {
        broker.stop()
        try? FileManager.default.removeItem(at: scratch)
    }

    func start(_ contender: Contender, port: Int? = nil) throws -> ServerProcess {
        let port = port ?? self.port
        let server: ServerProcess
        switch contender {
        case .kafka: server = try millrace("kafka://\(bootstrap)", port)
        case .spilling:
            let spill = scratch.appending(path: UUID().uuidString).path
            server = try millrace("kafka://\(bootstrap)", port, ["MILLRACE_SPILL": spill])
        case .embedded:
            let log = "sqlite:\(scratch.appending(path: "log-\(UUID().uuidString).db").path)"
            try run([program("millrace"), "topics", "create"], environment: ["MILLRACE_LOG": log])
            server = try millrace(log, port)
        case .limit: server = try ServerProcess([program("millrace-bench"), "limit-server", "--port", "\(port)"])
        case .cpp: server = try peer("cpp-epoll", port, ["HEADERS": "1"])
        case .aiohttp: server = try peer("aiohttp-aiokafka", port, ["WORKERS": "1"])
        }
        try server.waitUntilListening(on: port)
        return server
    }

    /// Deletes the embedded logs of servers that have ended, some gigabytes, before the disk is busy with them.
    func removeLogs() throws {
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: scratch.path) where name.hasPrefix("log-") {
            try files.removeItem(at: scratch.appending(path: name))
        }
    }

    private func peer(_ folder: String, _ port: Int, _ environment: [String: String]) throws -> ServerProcess {
        guard let peers else { throw BenchError("\(folder) without its folder") }
        return try peers.server(folder, port: port, bootstrap: bootstrap, environment)
    }

    private func millrace(_ log: String, _ port: Int, _ more: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(
            [program("millrace-ingress")],
            environment: [
                "MILLRACE_LOG": log, "MILLRACE_CHANNELS": scratch.appending(path: "channels.yaml").path,
                "MILLRACE_INGRESS_HOST": "127.0.0.1", "MILLRACE_INGRESS_PORT": "\(port)",
                // The mock broker makes topics when they are first asked for.
                "MILLRACE_TOPICS_CHECK": "false",
            ].merging(preload.map { ["LD_PRELOAD": $0] } ?? [:]) { $1 }.merging(more) { $1 })
    }

    private func path(_ contender: Contender) -> String {
        switch contender {
        case .kafka, .spilling, .embedded: "/webhooks/bench"
        case .limit, .cpp, .aiohttp: "/webhook"
        }
    }

    func closedLoop(
        _ contender: Contender, _ server: ServerProcess, connections: Int, seconds: Double
    ) throws -> Measured {
        try withCost(of: server) {
            if let peers {
                return try peers.closedLoop(
                    port: port, path: path(contender), connections: connections, seconds: seconds)
            }
            return try LoadGenerator(port: port, path: path(contender), bodies: bodies)
                .closedLoop(connections: connections, seconds: seconds)
        }
    }

    func openLoop(
        _ contender: Contender, _ server: ServerProcess, rate: Double, connections: Int, seconds: Double
    ) throws -> Measured {
        try withCost(of: server) {
            if let peers {
                return try peers.openLoop(
                    port: port, path: path(contender), rate: rate, connections: connections, seconds: seconds)
            }
            return try LoadGenerator(port: port, path: path(contender), bodies: bodies)
                .openLoop(rate: rate, connections: connections, seconds: seconds)
        }
    }

    /// Millrace under bodies that the peers' tools do not have.
    func ownLoad(
        _ server: ServerProcess, _ bodies: [String], connections: Int, seconds: Double, port: Int? = nil
    ) throws -> Measured {
        let load = LoadGenerator(port: port ?? self.port, path: "/webhooks/bench", bodies: bodies)
        return try withCost(of: server) { try load.closedLoop(connections: connections, seconds: seconds) }
    }

    private func withCost(of server: ServerProcess, _ load: () throws -> Measured) throws -> Measured {
        let before = server.cpuMicroseconds
        var measured = try load()
        measured.cpu = (server.cpuMicroseconds - before) / max(1, measured.requests)
        measured.peakMemory = server.memory("VmHWM")
        return measured
    }
}
