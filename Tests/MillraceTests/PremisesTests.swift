import ArgumentParser
import Foundation
import Testing

@testable import millrace

@Suite struct PremisesTests {
    @Test func aSecondUpIsKeptOutOfTheFolder() throws {
        let folder = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Premises.claim(folder: folder)
        #expect(throws: ValidationError.self) { try Premises.claim(folder: folder) }
    }

    @Test func aPortInUseIsNamedBeforeAnythingStarts() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(listener, $0, length) == 0 && listen(listener, 1) == 0)
                #expect(getsockname(listener, $0, &length) == 0)
            }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))
        #expect(throws: ValidationError.self) { try Premises.check(port: port, option: "--port") }
        #expect(throws: ValidationError.self) { try Premises.check(port: 0, option: "--port") }
    }
}
