import Foundation

/// Files that were read for something, with what stood in them, so that a later change can be noticed.
///
/// Contents are compared, not times: that holds for editors that write in place, for files moved over others, and for
/// the symbolic links that Kubernetes swaps when a mounted secret changes.
public struct FileContents: Sendable, Equatable {
    /// By path; nil for one that could not be read.
    private var contents: [String: Data?] = [:]

    public init() {}

    /// Blocks. Within one value a file is read once, so that what is read belongs together.
    @discardableResult
    public mutating func read(_ path: String) -> Data? {
        if let known = contents[path] { return known }
        let data = FileManager.default.contents(atPath: path)
        contents[path] = .some(data)
        return data
    }

    /// The same files as they are now. Blocks.
    func readAgain() -> FileContents {
        var now = FileContents()
        for path in contents.keys { now.read(path) }
        return now
    }
}
