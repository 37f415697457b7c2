import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Something that was loaded from files at start, and can be loaded again when they change:
///
///     let channels = try Loaded { files in try Channels.load(environment: environment, files: &files) }
///     use(channels.value)
///     services.append(channels.reloading("channels", logger: logger) { use($0) })
public struct Loaded<Value: Sendable>: Sendable {
    public typealias Load = @Sendable (_ files: inout FileContents) throws -> Value

    public let value: Value
    private let files: FileContents
    private let load: Load

    /// - Parameter load: reads its files through the `FileContents` it is given; what it reads is watched.
    public init(_ load: @escaping Load) throws {
        var files = FileContents()
        value = try load(&files)
        self.files = files
        self.load = load
    }

    /// A service that hands the new value to `use` whenever the files have changed.
    ///
    /// - Parameters:
    ///   - name: for the log lines.
    ///   - clock: measures `interval`.
    ///   - use: on a thread of its own, so it may block. When it throws, it must have changed nothing; after a
    ///     `ReloadDelay` it is tried again.
    public func reloading(
        _ name: String, every interval: Duration = .seconds(2), clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger, use: @escaping @Sendable (Value) throws -> Void
    ) -> Reloading<Value> {
        Reloading(name, ReloadState(files: files, load: load, use: use), every: interval, clock, logger)
    }
}

/// Looks at files again and again. What does not load, or is not taken, leaves everything as it was; that is said once,
/// until the files change again.
public struct Reloading<Value: Sendable>: Service {
    private let name: String
    private let poll: @Sendable () -> ReloadState<Value>.Outcome
    private let interval: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger
    /// Reading files blocks, which Swift's own threads must not.
    private let queue: DispatchQueue

    init(
        _ name: String, _ state: ReloadState<Value>, every interval: Duration, _ clock: any Clock<Duration>,
        _ logger: Logger
    ) {
        self.name = name
        self.interval = interval
        self.clock = clock
        self.logger = logger
        queue = DispatchQueue(label: "millrace.reload.\(name)")
        let state = MutexBox(state)
        poll = { state.mutex.withLock { $0.poll() } }
    }

    /// Until the graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await clock.sleep(for: interval)
                report(await withCheckedContinuation { done in queue.async { done.resume(returning: poll()) } })
            }
        }
    }

    private func report(_ outcome: ReloadState<Value>.Outcome) {
        switch outcome {
        case .unchanged, .settling: break
        case .delayed(let reason):
            logger.warning(
                "Changed files cannot be taken yet; until then what they said before stays in use",
                metadata: ["reload.name": "\(name)", "reload.reason": "\(reason)"])
        case .taken: logger.info("Changed files are in use", metadata: ["reload.name": "\(name)"])
        case .refused(let reason):
            logger.error(
                "Changed files are not taken; what they said before stays in use",
                metadata: ["reload.name": "\(name)", "reload.reason": "\(reason)"])
        }
    }
}

private final class MutexBox<Value: Sendable>: Sendable {
    let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
}

/// Whether what changed is good cannot be told now: it is to be tried again later.
struct ReloadDelay: Error {
    /// Safe to log.
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Decides when changed files are loaded.
struct ReloadState<Value: Sendable>: Sendable {
    enum Outcome: Sendable, Equatable {
        case unchanged
        /// Changed since the last look: they may still be written, or the second of a pair is yet to come.
        case settling
        case taken
        /// Neither taken nor refused: they are tried again, without another word. Safe to log.
        case delayed(String)
        /// Safe to log.
        case refused(String)
    }

    /// What the last attempt saw, good or bad.
    private var files: FileContents
    private var changed: FileContents?
    private var isDelayed = false
    private let load: Loaded<Value>.Load
    private let use: @Sendable (Value) throws -> Void

    init(files: FileContents, load: @escaping Loaded<Value>.Load, use: @escaping @Sendable (Value) throws -> Void) {
        self.files = files
        self.load = load
        self.use = use
    }

    /// Looks at the files, and loads them when they have changed and two looks in a row have seen the same. Blocks.
    mutating func poll() -> Outcome {
        let now = files.readAgain()
        if now == files {
            changed = nil
            isDelayed = false
            return .unchanged
        }
        guard now == changed else {
            changed = now
            return .settling
        }
        changed = nil
        var seen = FileContents()
        defer { files = seen }
        let wasDelayed = isDelayed
        isDelayed = false
        do {
            try use(try load(&seen))
            return .taken
        } catch let delay as ReloadDelay {
            seen = files
            isDelayed = true
            return wasDelayed ? .settling : .delayed(delay.reason)
        } catch let error as any ReadableError {
            return .refused(error.description)
        } catch {
            // The type alone: an arbitrary error's text may quote a secret.
            return .refused("\(type(of: error))")
        }
    }
}
