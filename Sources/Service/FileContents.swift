import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Files that were read for something, with what stood in them, so that a later change can be noticed.
///
/// Contents are compared, not times: that holds for editors that write in place, for files moved over others, and for
/// the symbolic links that Kubernetes swaps when a mounted secret changes.
///
/// They are settings and secrets, looked at every two seconds: what is larger than `maxBytes`, or no file at all (a
/// pipe would hold its reader for ever), is not read.
public struct FileContents: Sendable, Equatable {
    /// Thousands of channels.
    static let maxBytes = 4 << 20

    /// By path.
    private var contents: [String: Content] = [:]
    /// By path: what a directory holds; nil for one that could not be listed.
    private var listings: [String: [String]?] = [:]

    public init() {}

    /// Nil for what cannot be read, see `fault`. Blocks. Within one value a file is read once, so that what is read
    /// belongs together.
    @discardableResult
    public mutating func read(_ path: String) -> Data? {
        let content = contents[path] ?? Content(of: path)
        contents[path] = content
        return if case .data(let data) = content { data } else { nil }
    }

    /// Why a file gave nothing, for a sentence that begins with "names a file that".
    public func fault(_ path: String) -> String {
        contents[path] == .tooLarge ? "is larger than \(Self.maxBytes) bytes" : "cannot be read"
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

/// What stands in a file, or why that is not known.
private enum Content: Sendable, Equatable {
    case data(Data)
    case unreadable
    case tooLarge

    init(of path: String) {
        // Opening a pipe would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            self = .unreadable
            return
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            self = .unreadable
            return
        }
        // One more than the limit tells of more; the size may be that of a moment ago.
        guard let data = try? file.read(upToCount: FileContents.maxBytes + 1) ?? Data() else {
            self = .unreadable
            return
        }
        self = data.count > FileContents.maxBytes ? .tooLarge : .data(data)
    }
}
