import ArgumentParser
import Foundation
import Service

/// `millrace processor new`.
struct ProcessorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "processor", abstract: "Begin a processor of your own.", subcommands: [New.self])

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a new processor with a test into this package.",
            discussion: """
                Writes processors/<name> and Tests/<Name>Tests and adds one line to Package.swift. Nothing that exists is
                overwritten. The example reads customers' messages and writes a topic of its own; make it yours.
                """)

        @Argument(help: "Name of the executable, e.g. sentiment.") var name: String
        @Option(help: "Folder of Millrace's Package.swift.") var package = "."

        func run() throws {
            do {
                let template = try NewProcessor(package: package).write(name)
                for file in template.files { print("  wrote \(file.path)") }
                print("  added \(name) to Package.swift\n")
                print("  swift test --filter \(template.typeName)Tests      # its tests")
                print("  swift build --product \(name)")
                print("  .build/debug/\(name) --from beginning      # on the log of MILLRACE_LOG")
            } catch let error as ProcessorTemplate.BadName {
                throw ValidationError(error.description)
            }
        }
    }
}

/// Writes a processor's files into a package: all of them or none.
struct NewProcessor {
    let package: String
    /// The lines after this one of `Package.swift`, up to a line with a bracket alone, are the processors.
    private static let listBegin = "let processors: [[Target]] = [\n"

    func write(_ name: String) throws -> ProcessorTemplate {
        let manifest = URL(fileURLWithPath: "\(package)/Package.swift")
        guard var text = try? String(contentsOf: manifest, encoding: .utf8),
            let list = text.range(of: Self.listBegin), let end = text.range(of: "\n]\n", range: list.upperBound..<text.endIndex)
        else {
            throw ValidationError("\(package) is not the folder of Millrace's Package.swift; name it with --package")
        }
        let template = try ProcessorTemplate(name: name, taken: folders())
        text.insert(contentsOf: template.manifestLine, at: text.index(after: end.lowerBound))
        do {
            for file in template.files { try write(file) }
            // Last: until then the package builds as before.
            try Data(text.utf8).write(to: manifest, options: .atomic)
        } catch {
            remove(template)
            throw ValidationError("\(package) cannot be written to")
        }
        return template
    }

    /// Names that targets of the package have, in lower case: some file systems do not tell the difference.
    private func folders() -> Set<String> {
        let all = ["Sources", "processors", "Tests"].flatMap { folder in
            (try? FileManager.default.contentsOfDirectory(atPath: "\(package)/\(folder)")) ?? []
        }
        return Set(all.map { $0.lowercased() })
    }

    private func write(_ file: ProcessorTemplate.File) throws {
        let url = URL(fileURLWithPath: "\(package)/\(file.path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(file.text.utf8).write(to: url, options: .withoutOverwriting)
    }

    /// Its folders were not there before.
    private func remove(_ template: ProcessorTemplate) {
        for file in template.files {
            try? FileManager.default.removeItem(
                at: URL(fileURLWithPath: "\(package)/\(file.path)").deletingLastPathComponent())
        }
    }
}
