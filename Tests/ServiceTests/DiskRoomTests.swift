import Foundation
import Testing

@testable import Service

@Suite struct DiskRoomTests {
    /// The kernel's own file systems have no block that anybody could take.
    @Test func aDiskWithoutRoomIsNotReady() {
        #expect(DiskRoom.readiness(at: "/proc") == .notReady("disk full"))
        #expect(DiskRoom.readiness(at: NSTemporaryDirectory()) == .ready)
        #expect(DiskRoom.readiness(at: "/nowhere") == .ready)
    }
}
