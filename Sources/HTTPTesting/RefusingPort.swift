import Glibc

/// A port of 127.0.0.1 where connections are refused. It is kept (bound, but not listening) for as long as the object
/// lives; the port of a server that was stopped might be somebody else's by the time of the test.
public final class RefusingPort: Sendable {
    public let port: Int
    private let socket: Int32

    public init() {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket, address, length) == 0 && getsockname(socket, address, &length) == 0
            }
        }
        precondition(isBound, "no free port on 127.0.0.1")
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(socket) }

    public var url: String { "http://127.0.0.1:\(port)" }
}
