import Foundation
import Testing

@testable import millrace

@Suite struct ProcessorTemplateTests {
    /// This package's folder.
    private static let package = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path

    /// The section's code blocks, by language.
    private func blocks(_ language: String) throws -> [String] {
        let readme = try String(contentsOfFile: "\(Self.package)/README.md", encoding: .utf8)
        let section = try #require(readme.components(separatedBy: "\n## ").first { $0.hasPrefix("Write your own processor\n") })
        return section.components(separatedBy: "```\(language)\n").dropFirst().map { block in
            String(block[..<(block.firstRange(of: "```")?.lowerBound ?? block.endIndex)])
        }
    }

    @Test func theReadmeShowsTheFilesAsTheyAreWritten() throws {
        let files = try ProcessorTemplate(name: "sentiment").files
        #expect(try blocks("swift") == files.map(\.text))
        #expect(try blocks("sh").joined().contains("millrace processor new sentiment\n"))
    }

    @Test func theHandlerIsShorterThan20Lines() throws {
        let lines = try ProcessorTemplate(name: "sentiment").files[0].text.split(separator: "\n")
        let first = try #require(lines.firstIndex { $0.contains("func handle(") })
        let last = try #require(lines[first...].firstIndex { $0 == "    }" })
        #expect(last - first < 20)
    }

    @Test func aNameOfSeveralWordsBecomesTypeModuleAndFolders() throws {
        let template = try ProcessorTemplate(name: "language-detector2")
        #expect(
            template.files.map(\.path) == [
                "processors/language-detector2/LanguageDetector2Processor.swift", "processors/language-detector2/main.swift",
                "Tests/LanguageDetector2Tests/LanguageDetector2Tests.swift",
            ])
        #expect(template.files[2].text.contains("@testable import language_detector2\n"))
    }

    @Test(arguments: ["", "Sentiment", "a--b", "-a", "a-", "2fast", "a b", "../up", "ä", "import", String(repeating: "x", count: 41)])
    func aNameThatCannotBeAModuleIsRefused(name: String) {
        #expect(throws: ProcessorTemplate.BadName.self) { try ProcessorTemplate(name: name) }
    }

    /// A package folder with this package's manifest and nothing else.
    private func withPackage(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "millrace-package-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: "\(Self.package)/Package.swift", toPath: "\(folder)/Package.swift")
        try body(folder)
    }

    @Test func thePackageGetsTheFilesAndOneLine() throws {
        try withPackage { folder in
            let before = try String(contentsOfFile: "\(folder)/Package.swift", encoding: .utf8)
            let template = try NewProcessor(package: folder).write("sentiment")
            for file in template.files {
                #expect(try String(contentsOfFile: "\(folder)/\(file.path)", encoding: .utf8) == file.text)
            }
            let after = try String(contentsOfFile: "\(folder)/Package.swift", encoding: .utf8)
            let line = try #require(after.firstRange(of: "    processor(\"sentiment\"),\n"))
            #expect(after.replacingCharacters(in: line, with: "") == before)
            #expect(after[line.upperBound...].hasPrefix("]\n"))
        }
    }

    @Test func whatExistsIsNeitherOverwrittenNorListedTwice() throws {
        try withPackage { folder in
            _ = try NewProcessor(package: folder).write("sentiment")
            try "mine".write(toFile: "\(folder)/processors/sentiment/main.swift", atomically: true, encoding: .utf8)
            let before = try String(contentsOfFile: "\(folder)/Package.swift", encoding: .utf8)
            #expect(throws: ProcessorTemplate.BadName.self) { try NewProcessor(package: folder).write("sentiment") }
            #expect(try String(contentsOfFile: "\(folder)/processors/sentiment/main.swift", encoding: .utf8) == "mine")
            #expect(try String(contentsOfFile: "\(folder)/Package.swift", encoding: .utf8) == before)
        }
    }

    @Test func anotherFolderIsLeftAlone() throws {
        let folder = NSTemporaryDirectory() + "millrace-empty-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: (any Error).self) { try NewProcessor(package: folder).write("sentiment") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
}
