#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Signals between the suite and the processes of its cases.
public enum OtherProcess {
    static var ownID: Int32 { getpid() }

    /// Stops the calling process until somebody wakes it. A signal to the whole process may be taken by another of its
    /// threads, and this one would run on for a moment.
    static func stopSelf() { raise(SIGSTOP) }

    /// Ends the calling process at once: nothing is flushed, nobody is told.
    public static func killSelf() -> Never {
        kill(getpid(), SIGKILL)
        fatalError("SIGKILL cannot be survived")
    }

    static func wake(_ processID: Int32) { kill(processID, SIGCONT) }
}
