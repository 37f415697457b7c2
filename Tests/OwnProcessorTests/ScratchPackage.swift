import Foundation
import Subprocess
import SystemPackage

/// A copy of this package in a folder of its own, cut down to what one processor needs: building all of it again would
/// take longer than all other tests together.
struct ScratchPackage {
    let folder: String
    /// This package's folder.
    static let original = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path

    static func with(processor: String, tests: String, _ body: (ScratchPackage) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-own-\(UUID().uuidString)"
        let package = ScratchPackage(folder: folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try package.copy(keeping: [processor, tests])
        try await body(package)
    }

    /// Sources, and the checkouts of the dependencies, so that nothing is fetched.
    private func copy(keeping roots: [String]) throws {
        let files = FileManager.default
        for path in [".build", "processors", "Tests"] {
            try files.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
        }
        let build = ["checkouts", "repositories", "artifacts", "workspace-state.json"].map { ".build/\($0)" }
        for path in ["Sources", "Package.resolved"] + build where files.fileExists(atPath: "\(Self.original)/\(path)") {
            try files.copyItem(atPath: "\(Self.original)/\(path)", toPath: "\(folder)/\(path)")
        }
        let manifest = try String(contentsOfFile: "\(Self.original)/Package.swift", encoding: .utf8)
        try (manifest + Self.pruning(roots)).write(toFile: "\(folder)/Package.swift", atomically: true, encoding: .utf8)
    }

    /// For the end of a manifest: forgets every target that none of `roots` depends on.
    private static func pruning(_ roots: [String]) -> String {
        """

        var needed = Set(\(roots))
        var before = 0
        while needed.count > before {
            before = needed.count
            for target in package.targets where needed.contains(target.name) {
                for dependency in target.dependencies {
                    switch dependency {
                    case .targetItem(let name, _), .byNameItem(let name, _): needed.insert(name)
                    default: break
                    }
                }
            }
        }
        package.targets.removeAll { !needed.contains($0.name) }

        """
    }

    /// Runs a shell script in the package, line by line as a person would; answers what it printed.
    func run(_ script: String, environment: [String: String] = [:]) async throws -> (succeeded: Bool, output: String) {
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        let result = try await Subprocess.run(
            .path("/bin/bash"), arguments: ["-ec", "exec 2>&1\n" + script], environment: .inherit.updating(variables),
            workingDirectory: FilePath(folder), output: .string(limit: 16 << 20))
        return (result.terminationStatus.isSuccess, result.standardOutput)
    }
}
