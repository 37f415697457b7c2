import Foundation

/// Who started this process.
enum Parent {
    /// Ends this process when standard input does: the bench holds the other end, so what it started ends with it, even
    /// by `kill -9`.
    static func watch() {
        Thread {
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) > 0 {}
            exit(0)
        }.start()
    }
}

/// A line, at once: `print` keeps what it writes to a pipe.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// A program beside this one.
func program(_ name: String) -> String {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name).path
}
