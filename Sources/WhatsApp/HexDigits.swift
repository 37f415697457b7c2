/// Lower-case hexadecimal digits, eight at a time: a record has a hundred of them.
public enum HexDigits {
    /// The digits of `number`, the most significant in the first byte when stored in little-endian order.
    @inlinable
    public static func text(_ number: UInt32) -> UInt64 {
        // Bytes into lanes of two bytes, then each byte's halves into bytes of their own.
        var lanes = UInt64(number.byteSwapped)
        lanes = (lanes | lanes << 16) & 0x0000_FFFF_0000_FFFF
        lanes = (lanes | lanes << 8) & 0x00FF_00FF_00FF_00FF
        let halves = (lanes >> 4 & 0x000F_000F_000F_000F) | (lanes & 0x000F_000F_000F_000F) << 8
        // 1 in each byte that holds ten or more.
        let letters = (halves &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return halves &+ 0x3030_3030_3030_3030 &+ letters &* UInt64(UInt8(ascii: "a") - UInt8(ascii: "0") - 10)
    }
}
