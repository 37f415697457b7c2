extension Array<UInt8> {
    /// An array of what `write` writes to the memory it is given, `limit` bytes at most; it answers how many.
    ///
    /// Small ones are written on the stack and copied. `unsafeUninitializedCapacity` is not specialised: each time it has
    /// the runtime look up the array's type, which takes longer than copying a kilobyte.
    @inlinable
    public init(written limit: Int, _ write: (UnsafeMutableRawPointer) -> Int) {
        guard limit <= 1_024 else {
            self.init(unsafeUninitializedCapacity: limit) { buffer, count in
                count = write(UnsafeMutableRawPointer(buffer.baseAddress!))
                precondition(count <= limit)
            }
            return
        }
        self = withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { memory in
            guard let start = memory.baseAddress else { return [] }
            let count = write(start)
            precondition(count <= limit)
            return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
        }
    }
}
