import WhatsApp

/// The W3C header that ties the events of one trace together: `00-<32 hex>-<16 hex>-<2 hex>`
/// (Trace Context, 3.2). A request's own is continued when it is well formed, else a trace begins here.
struct Traceparents {
    /// Ids need to be unlike each other, not secret: one seed from the system, then a counter mixed well.
    private var state: UInt64
    /// The last one; written over by the next, unless somebody still holds it.
    private var text = Array("00-00000000000000000000000000000000-0000000000000000-01".utf8)

    init() { state = UInt64.random(in: .min ... .max) }

    mutating func begin() -> [UInt8] {
        writeHex(next(), at: 3)
        writeHex(next(), at: 19)
        writeHex(next(), at: 36)
        return text
    }

    /// Version 00 exactly: lower-case hex, neither id all zeros.
    static func isWellFormed(_ bytes: some Collection<UInt8>) -> Bool {
        guard bytes.count == 55, bytes.starts(with: "00-".utf8) else { return false }
        var hasTraceID = false
        var hasParentID = false
        for (at, byte) in bytes.enumerated().dropFirst(3) {
            switch (at, byte) {
            case (35, UInt8(ascii: "-")), (52, UInt8(ascii: "-")): break
            case (35, _), (52, _): return false
            case (_, UInt8(ascii: "0")): break
            case (_, UInt8(ascii: "1")...UInt8(ascii: "9")), (_, UInt8(ascii: "a")...UInt8(ascii: "f")):
                if at < 35 { hasTraceID = true } else if at < 52 { hasParentID = true }
            default: return false
            }
        }
        return hasTraceID && hasParentID
    }

    /// SplitMix64 (Steele, Lea, Flood 2014); never zero.
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return mixed == 0 ? 1 : mixed
    }

    private mutating func writeHex(_ number: UInt64, at place: Int) {
        text.withUnsafeMutableBytes { text in
            let halves = (UInt32(truncatingIfNeeded: number >> 32), UInt32(truncatingIfNeeded: number))
            text.storeBytes(of: HexDigits.text(halves.0).littleEndian, toByteOffset: place, as: UInt64.self)
            text.storeBytes(of: HexDigits.text(halves.1).littleEndian, toByteOffset: place + 8, as: UInt64.self)
        }
    }
}
