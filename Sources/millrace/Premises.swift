import ArgumentParser
import Glibc

/// What `millrace up` must have for itself before it starts anything: its folder and its ports.
enum Premises {
    /// Keeps a second `up` out of the folder for as long as this process lives; the kernel frees the lock when it dies.
    static func claim(folder: String) throws {
        let descriptor = open("\(folder)/.up.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ValidationError("--data names a folder that cannot be written") }
        // Never closed: the lock goes with the process.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ValidationError("another `millrace up` runs on \(folder); stop it, or choose another folder with --data")
        }
    }

    /// Tells at once what a stage would only say in its log file, again and again.
    static func check(port: Int, option: String) throws {
        guard (1...65_535).contains(port) else { throw ValidationError("\(option) must be from 1 to 65535") }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 { throw ValidationError("port \(port) is in use; choose another with \(option)") }
    }
}
