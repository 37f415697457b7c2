import Foundation
import HTTPTesting
import Testing

typealias TestClient = RawClient

extension RawClient {
    struct Response: Sendable, Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    /// Waits until the server has closed its side and nothing is left to read.
    func waitForEnd(_ what: @autoclosure () -> String = "") async throws {
        try await eventually("the server closes the connection \(what())") { self.isClosedByPeer }
    }

    /// The next answer. To HEAD there is no body, whatever the headers say.
    func response(toHead: Bool = false) async throws -> Response {
        try await value("an answer arrives") {
            self.take { Self.parse($0, toHead: toHead) }
        }
    }

    private static func parse(_ bytes: [UInt8], toHead: Bool) -> (value: Response, length: Int)? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let status = Int(lines[0].split(separator: " ")[1]) ?? 0
        let length = toHead || status == 100 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        let bodyStart = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        guard bytes.count >= bodyStart + length else { return nil }
        let body = String(decoding: bytes[bodyStart..<bodyStart + length], as: UTF8.self)
        return (Response(status: status, headers: headers, body: body), bodyStart + length)
    }
}

/// Waits until `produce` gives a value. The limit only ends a test that would otherwise hang.
func value<T>(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ produce: () throws -> T?
) async throws -> T {
    let clock = ContinuousClock()
    let limit = clock.now + .seconds(30)
    while clock.now < limit {
        if let found = try produce() { return found }
        try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record(what, sourceLocation: sourceLocation)
    throw CancellationError()
}

func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) async throws {
    _ = try await value(what, sourceLocation: sourceLocation) { condition() ? true : nil }
}
