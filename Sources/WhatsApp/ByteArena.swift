/// Memory for text that no longer stands anywhere else: escapes resolved, ids hashed, what many records repeat.
///
/// A stack: `release` gives back everything kept since `mark`. The first block stays for the next use, so that a
/// common body allocates nothing here.
///
/// A handle, copied at no cost, which is why somebody has to `free` it: a workspace, a channel's setup, or `scoped`.
struct ByteArena {
    struct Mark {
        fileprivate let olderBlocks: Int
        fileprivate let used: Int
    }

    private struct State {
        var block: UnsafeMutableRawBufferPointer
        /// How much of `block` is taken.
        var used = 0
        /// Blocks that are full.
        var older: [UnsafeMutableRawBufferPointer] = []
    }

    private static let blockBytes = 16 << 10
    private let state: UnsafeMutablePointer<State>

    init(firstBlockBytes: Int = ByteArena.blockBytes) {
        state = .allocate(capacity: 1)
        state.initialize(to: State(block: .allocate(byteCount: firstBlockBytes, alignment: 1)))
    }

    /// Once, and then nothing that was kept here may be looked at any more.
    func free() {
        release(to: Mark(olderBlocks: 0, used: 0))
        state.pointee.block.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// An arena for a moment. What it keeps must not be in the result.
    static func scoped<Result>(_ body: (ByteArena) -> Result) -> Result {
        let arena = ByteArena(firstBlockBytes: 512)
        defer { arena.free() }
        return body(arena)
    }

    var mark: Mark { Mark(olderBlocks: state.pointee.older.count, used: state.pointee.used) }

    func release(to mark: Mark) {
        while state.pointee.older.count > mark.olderBlocks {
            state.pointee.block.deallocate()
            state.pointee.block = state.pointee.older.removeLast()
        }
        state.pointee.used = mark.used
    }

    /// Keeps what `write` writes, `limit` bytes at most. Nothing else may be kept meanwhile.
    @inline(__always)
    func write(limit: Int, _ write: (inout ByteWriter) -> Void) -> BorrowedBytes {
        if limit > state.pointee.block.count - state.pointee.used { addBlock(limit) }
        let start = state.pointee.block.baseAddress! + state.pointee.used
        var writer = ByteWriter(start: start, capacity: limit)
        write(&writer)
        state.pointee.used += writer.count
        return BorrowedBytes(start: start, count: writer.count)
    }

    func keep(_ bytes: BorrowedBytes) -> BorrowedBytes { write(limit: bytes.count) { $0.append(bytes) } }

    func keep(_ bytes: [UInt8]) -> BorrowedBytes { bytes.withUnsafeBytes { keep(BorrowedBytes($0)) } }

    func keep(_ text: String) -> BorrowedBytes { keep(Array(text.utf8)) }

    @inline(never)
    private func addBlock(_ least: Int) {
        state.pointee.older.append(state.pointee.block)
        state.pointee.block = .allocate(byteCount: max(least, Self.blockBytes), alignment: 1)
        state.pointee.used = 0
    }
}
