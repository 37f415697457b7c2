import Foundation

/// A process under measurement, or one that the measurement needs. Ended with the object at the latest.
final class ServerProcess {
    private let process = Process()
    private let output = Pipe()
    /// Ends with this process, and says so to the other (`Parent.watch`, `MILLRACE_PARENT`).
    private let input = Pipe()

    /// - Parameter capturesOutput: keep what it prints, for `firstLine`; else it goes to our standard error.
    init(
        _ command: [String], environment: [String: String] = [:], in folder: URL? = nil, capturesOutput: Bool = false
    ) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            .merging(["MILLRACE_PARENT": "stdin"]) { $1 }
        process.standardInput = input
        if let folder { process.currentDirectoryURL = folder }
        process.standardOutput = capturesOutput ? output : FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { stop() }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        for _ in 0..<100 where process.isRunning { usleep(50_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Sends a signal, e.g. SIGKILL; nothing when it has ended.
    func signal(_ number: Int32) {
        if process.isRunning { kill(process.processIdentifier, number) }
    }

    /// Returns when it has ended.
    func waitUntilEnded() { process.waitUntilExit() }

    /// All that it printed, once it has ended; throws when it failed.
    func outputAtEnd() throws -> String {
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        if process.terminationStatus != 0 { throw BenchError("\(process.arguments ?? []) failed: \(text.suffix(400))") }
        return text
    }

    func firstLine() throws -> String {
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    func waitUntilListening(on port: Int) throws {
        for _ in 0..<300 where process.isRunning {
            if Self.connects(to: port) { return }
            usleep(50_000)
        }
        throw BenchError("\(process.arguments ?? []) does not listen on \(port)")
    }

    private static func connects(to port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// User and system time so far, in microseconds (proc(5), `stat`, fields 14 and 15).
    var cpuMicroseconds: Double {
        guard let stat = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return 0 }
        let fields = stat[end...].split(separator: " ")
        return ((Double(fields[12]) ?? 0) + (Double(fields[13]) ?? 0)) * 1e6 / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// A line of `/proc/…/status` in MiB: `VmHWM` (largest resident size), `VmRSS`.
    func memory(_ name: String) -> Double {
        let status = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first).flatMap { Double($0) }.map { $0 / 1_024 } ?? 0
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Runs a command to its end and gives what it printed.
@discardableResult
func run(_ command: [String], environment: [String: String] = [:], in folder: URL? = nil) throws -> String {
    try ServerProcess(command, environment: environment, in: folder, capturesOutput: true).outputAtEnd()
}
