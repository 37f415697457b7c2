/// An error that says: this record is not what its topic promises. Trying again cannot help, so the runtime sends the
/// record to the dead letters at once, with disposition `DESERIALIZATION`.
///
/// Its description must be safe to keep there: it names members and headers, never their content.
public protocol UnreadableRecord: Error, CustomStringConvertible {}
