#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard error, one `write` a line: lines of several processes on one terminal stay whole.
public enum StandardError {
    public static func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = Glibc.write(STDERR_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                // A closed or full standard error must not stop the pipeline.
                guard written > 0 else { return }
                rest = rest.dropFirst(written)
            }
        }
    }

    public static func write(line: String) { write(Array((line + "\n").utf8)) }
}
