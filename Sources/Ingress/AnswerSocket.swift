import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes answers straight to the socket of a connection without TLS.
///
/// An answer is a few dozen bytes and the socket nearly always has room for them: then the way through the pipeline,
/// its queue and its promises costs several times what the answer does. What the socket does not take at once goes
/// NIO's way, and so does all that comes before that is written.
///
/// The descriptor is NIO's, which closes it on the connection's event loop. So it is used there alone, and only while
/// the channel says that it is active: afterwards the number may be another connection's.
struct AnswerSocket {
    private let descriptor: NIOBSDSocket.Handle
    private let channel: any Channel

    /// Nil where the channel is no socket. On its event loop; what it sends must need no other handler's work.
    init?(_ channel: any Channel) {
        let handle = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
        guard let handle else { return nil }
        descriptor = handle
        self.channel = channel
    }

    /// How many of the bytes the socket took; 0 also when it is broken, which who writes next will hear.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard channel.isActive else { return 0 }
        return max(0, send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)))
    }
}
