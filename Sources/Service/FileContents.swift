import Foundation

/// Files that were read for something, with what stood in them, so that a later change can be noticed.
///
/// Contents are compared, not times: that holds for editors that write in place, for files moved over others, and for
/// the symbolic links that Kubernetes swaps when a mounted secret changes.
public struct FileContents: Sendable, Equatable {
    /// By path; nil for one that could not be read.
    private var contents: [String: Data?] = [:]
    /// By path: what a directory holds; nil for one that could not be listed.
    private var listings: [String: [String]?] = [:]

    public init() {}

    /// Blocks. Within one value a file is read once, so that what is read belongs together.
    @discardableResult
    public mutating func read(_ path: String) -> Data? {
        if let known = contents[path] { return known }
        let data = FileManager.default.contents(atPath: path)
        contents[path] = .some(data)
        return data
    }

    /// The names in a directory, sorted. Blocks.
    @discardableResult
    public mutating func list(_ path: String) -> [String]? {
        if let known = listings[path] { return known }
        let names = try? FileManager.default.contentsOfDirectory(atPath: path).sorted()
        listings[path] = .some(names)
        return names
    }

    /// The same files as they are now. Blocks.
    func readAgain() -> FileContents {
        var now = FileContents()
        for path in contents.keys { now.read(path) }
        for path in listings.keys { now.list(path) }
        return now
    }
}
