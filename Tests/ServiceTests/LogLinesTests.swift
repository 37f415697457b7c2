import Dispatch
import Synchronization
import Testing

@testable import Service

@Suite struct LogLinesTests {
    /// A reader of standard error that has stopped reading, until it goes on.
    private final class Reader: Sendable {
        private let goesOn = DispatchSemaphore(value: 0)
        private let read = Mutex<[String]>([])

        var lines: [String] { read.withLock { $0 } }
        func goOn() { goesOn.signal() }
        func take(_ line: [UInt8]) {
            goesOn.wait()
            goesOn.signal()
            read.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
        }
    }

    @Test func whoLogsDoesNotWaitForAReaderThatHasStopped() {
        let reader = Reader()
        let lines = LogLines(maxBytes: 100) { reader.take($0) }
        // Ten find room. What comes beyond is dropped, and said later.
        for number in 10..<50 { lines.add(Array("line \(number)!!\n".utf8)) }
        lines.flush(within: .milliseconds(20))
        #expect(reader.lines == [])
        reader.goOn()
        lines.flush(within: .seconds(60))
        #expect(reader.lines.dropLast() == (10..<20).map { "line \($0)!!\n" }[...])
        #expect(reader.lines.last?.contains(#""log.dropped":"30""#) == true)
        // There is room again.
        lines.add(Array("after\n".utf8))
        lines.flush(within: .seconds(60))
        #expect(reader.lines.last == "after\n")
    }

    @Test func linesKeepTheirOrder() {
        let read = Mutex<[[UInt8]]>([])
        let lines = LogLines(maxBytes: 1 << 20) { line in read.withLock { $0.append(line) } }
        let given = (0..<1_000).map { Array("\($0)\n".utf8) }
        for line in given { lines.add(line) }
        lines.flush(within: .seconds(60))
        #expect(read.withLock { $0 } == given)
    }
}
