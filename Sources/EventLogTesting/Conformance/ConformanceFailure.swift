import EventLog

/// A log that does not do what the protocols of `EventLog` promise.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// What was expected and what was seen.
    public let message: String
    public let file: String
    public let line: UInt

    init(_ message: String, _ file: String = #fileID, _ line: UInt = #line) {
        self.message = message
        self.file = file
        self.line = line
    }

    public var description: String { "\(message) (\(file):\(line))" }
}

func require(
    _ condition: Bool, _ message: @autoclosure () -> String, _ file: String = #fileID, _ line: UInt = #line
) throws {
    guard condition else { throw ConformanceFailure(message(), file, line) }
}

func requireEqual<Value: Equatable>(
    _ seen: Value, _ expected: Value, _ what: String, _ file: String = #fileID, _ line: UInt = #line
) throws {
    guard seen != expected else { return }
    throw ConformanceFailure("\(what): expected \(brief(expected)), saw \(brief(seen))", file, line)
}

func requireValue<Value>(
    _ value: Value?, _ what: String, _ file: String = #fileID, _ line: UInt = #line
) throws -> Value {
    guard let value else { throw ConformanceFailure("no \(what)", file, line) }
    return value
}

/// Runs `body`, which must throw a `LogError` of one of `codes`.
func requireError(
    _ codes: LogError.Code..., from what: String, _ file: String = #fileID, _ line: UInt = #line,
    _ body: () async throws -> some Any
) async throws {
    let names = codes.map(\.name).joined(separator: " or ")
    do {
        _ = try await body()
    } catch let error as LogError {
        if codes.contains(error.code) { return }
        throw ConformanceFailure("\(what): expected \(names), saw \(error)", file, line)
    }
    throw ConformanceFailure("\(what): expected \(names), saw no error", file, line)
}

/// Asks again until `condition` holds. The deadline is far beyond what a slow machine needs.
func eventually(
    _ what: String, within limit: Duration = .seconds(60), _ file: String = #fileID, _ line: UInt = #line,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw ConformanceFailure("did not happen within \(limit): \(what)", file, line)
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Records of megabytes have no place in a message.
private func brief(_ value: some Any) -> String {
    let text = String(describing: value)
    return text.count <= 600 ? text : text.prefix(600) + "… (\(text.count) characters)"
}
