import Foundation
import Subprocess
import SystemPackage

/// A copy of this package with its build products, so that only what a new processor adds is built.
///
/// Build products know their own absolute path. So scripts see the copy at the original's place, in a mount namespace of
/// their own (`unshare`). Where the machine does not allow that they run in the copy itself, and build it from nothing.
struct ScratchPackage {
    /// Where the copy lies.
    let folder: String
    private let namespace: [String]
    /// This package's folder.
    static let original = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path

    static func with(_ body: (ScratchPackage) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-own-\(UUID().uuidString)"
        let package = ScratchPackage(folder: folder, namespace: await possibleNamespace())
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await package.copy()
        try await body(package)
    }

    /// Root may mount; others only in a user namespace, if the machine has them. Empty: neither.
    private static func possibleNamespace() async -> [String] {
        for options in [["--mount"], ["--map-root-user", "--mount"]] {
            let script = "mount --bind '\(original)' '\(original)'"
            if let result = try? await bash("unshare \(options.joined(separator: " ")) bash -c \"\(script)\""), result.succeeded {
                return ["unshare"] + options
            }
        }
        return []
    }

    /// Everything but Git's folder and release builds; times of change are kept, by which the build system knows what is
    /// up to date.
    private func copy() async throws {
        let script = """
            mkdir -p "$TO/.build" "$TO/tmp"
            cd "$FROM"
            for entry in $(ls -A); do
                case $entry in .git|.build) ;; *) cp -a --reflink=auto "$entry" "$TO/" ;; esac
            done
            cd .build
            for entry in $(ls -A); do
                if [ -d "$entry/debug" ] && [ ! -L "$entry" ]; then
                    mkdir -p "$TO/.build/$entry"
                    cp -a --reflink=auto "$entry/debug" "$TO/.build/$entry/"
                else
                    cp -a --reflink=auto "$entry" "$TO/.build/"
                fi
            done
            """
        let result = try await Self.bash(script, environment: ["FROM": Self.original, "TO": folder])
        if !result.succeeded { throw CopyFailed(output: result.output) }
    }

    struct CopyFailed: Error { let output: String }

    /// Runs a shell script in the package, line by line as a person would; answers what it printed.
    func run(_ script: String, environment: [String: String] = [:]) async throws -> (succeeded: Bool, output: String) {
        var environment = environment
        // The package manager's lock has a name made of the package's path, and whoever runs this test may hold it.
        environment["TMPDIR"] = "\(folder)/tmp"
        environment["SCRIPT"] = script
        environment["COPY"] = folder
        environment["ORIGINAL"] = Self.original
        let prelude = namespace.isEmpty ? "cd \"$COPY\"" : "mount --bind \"$COPY\" \"$ORIGINAL\"; cd \"$ORIGINAL\""
        let shell = "exec \(namespace.joined(separator: " ")) bash -ec '\(prelude); exec bash -ec \"$SCRIPT\"'"
        return try await Self.bash(shell, environment: environment)
    }

    private static func bash(
        _ script: String, environment: [String: String] = [:]
    ) async throws -> (succeeded: Bool, output: String) {
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        let result = try await Subprocess.run(
            .path("/bin/bash"), arguments: ["-ec", "exec 2>&1\n" + script], environment: .inherit.updating(variables),
            output: .string(limit: 16 << 20))
        return (result.terminationStatus.isSuccess, result.standardOutput)
    }
}
