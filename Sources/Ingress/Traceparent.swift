/// The W3C header that ties the events of one trace together: `00-<32 hex>-<16 hex>-<2 hex>`
/// (Trace Context, 3.2). A request's own is continued when it is well formed, else a trace begins here.
struct Traceparents {
    /// Ids need to be unlike each other, not secret: one seed from the system, then a counter mixed well.
    private var state: UInt64

    init() { state = UInt64.random(in: .min ... .max) }

    mutating func begin() -> String {
        let ids = (next(), next(), next())
        return String(unsafeUninitializedCapacity: 55) { text in
            text.initialize(repeating: UInt8(ascii: "-"))
            Self.writeHex(0, digits: 2, to: text, at: 0)
            Self.writeHex(ids.0, digits: 16, to: text, at: 3)
            Self.writeHex(ids.1, digits: 16, to: text, at: 19)
            Self.writeHex(ids.2, digits: 16, to: text, at: 36)
            Self.writeHex(1, digits: 2, to: text, at: 53)
            return 55
        }
    }

    /// Version 00 exactly: lower-case hex, neither id all zeros.
    static func isWellFormed(_ text: String) -> Bool {
        let bytes = text.utf8
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

    private static func writeHex(_ number: UInt64, digits: Int, to text: UnsafeMutableBufferPointer<UInt8>, at: Int) {
        for place in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(4 * (digits - 1 - place))) & 0xF
            text[at + place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }
}
