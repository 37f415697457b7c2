import EventLog

/// `2026-09-21T13:33:27.005Z`: the form of `ce_time`. Years 0000 to 9999; milliseconds only when there are any.
public enum RFC3339 {
    public static func string(_ time: Timestamp) -> String {
        String(unsafeUninitializedCapacity: maxLength) { write(time, to: UnsafeMutableRawPointer($0.baseAddress!)) }
    }

    static let maxLength = 24

    /// Writes at most `maxLength` bytes, and answers how many.
    static func write(_ time: Timestamp, to text: UnsafeMutableRawPointer) -> Int {
        let clamped = min(max(time.milliseconds, minimum), maximum)
        let (seconds, milliseconds) = clamped.quotientAndFloor(1_000)
        let (days, second) = seconds.quotientAndFloor(86_400)
        let (year, month, day) = civil(days)
        put(UInt32(year / 100), "-", in: text, at: 0)
        put(UInt32(year % 100), "-", in: text, at: 2)
        put(UInt32(month), "-", in: text, at: 5)
        put(UInt32(day), "T", in: text, at: 8)
        put(UInt32(second / 3_600), ":", in: text, at: 11)
        put(UInt32(second / 60 % 60), ":", in: text, at: 14)
        put(UInt32(second % 60), "Z", in: text, at: 17)
        if milliseconds == 0 { return 20 }
        text.storeBytes(of: UInt8(ascii: "."), toByteOffset: 19, as: UInt8.self)
        text.storeBytes(of: UInt8(ascii: "0") + UInt8(milliseconds / 100), toByteOffset: 20, as: UInt8.self)
        put(UInt32(milliseconds % 100), "Z", in: text, at: 21)
        return maxLength
    }

    /// Two digits and what follows them.
    @inline(__always)
    private static func put(_ value: UInt32, _ after: Unicode.Scalar, in text: UnsafeMutableRawPointer, at place: Int) {
        let digits = (UInt8(truncatingIfNeeded: value / 10), UInt8(truncatingIfNeeded: value % 10))
        text.storeBytes(of: UInt8(ascii: "0") + digits.0, toByteOffset: place, as: UInt8.self)
        text.storeBytes(of: UInt8(ascii: "0") + digits.1, toByteOffset: place + 1, as: UInt8.self)
        text.storeBytes(of: UInt8(ascii: after), toByteOffset: place + 2, as: UInt8.self)
    }

    /// Reads what `string` writes, and any other offset or precision of RFC 3339; nil for anything else.
    public static func parse(_ text: String) -> Timestamp? {
        var text = text
        return text.withUTF8 { parse(UnsafeRawBufferPointer($0)) }
    }

    /// The same of text where it lies.
    static func parse(_ text: UnsafeRawBufferPointer) -> Timestamp? {
        var reader = Reader(rest: text[...])
        guard let year = reader.number(4, "-"), let month = reader.number(2, "-"), let day = reader.number(2, "T"),
            let hour = reader.number(2, ":"), let minute = reader.number(2, ":"), let second = reader.number(2, nil),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        guard let fraction = reader.fraction(), let offset = reader.offset(), reader.rest.isEmpty else { return nil }
        let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset
        return Timestamp(milliseconds: seconds * 1_000 + fraction)
    }

    private static let minimum: Int64 = -62_167_219_200_000
    private static let maximum: Int64 = 253_402_300_799_999

    /// Days since 1970-01-01 to a date of the proleptic Gregorian calendar. Years begin in March here, so that the
    /// leap day is the last day of its year; 400 years have 146,097 days.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndFloor(146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * march + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).quotientAndFloor(400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private struct Reader {
        var rest: Slice<UnsafeRawBufferPointer>

        mutating func number(_ digits: Int, _ after: Unicode.Scalar?) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let byte = rest.popFirst(), byte &- UInt8(ascii: "0") < 10 else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            if let after, rest.popFirst().map({ $0 & 0xDF }) != UInt8(ascii: after) & 0xDF { return nil }
            return value
        }

        /// Milliseconds; further digits are cut off.
        mutating func fraction() -> Int64? {
            guard rest.first == UInt8(ascii: ".") else { return 0 }
            rest.removeFirst()
            var value: Int64 = 0
            var digits = 0
            while let byte = rest.first, byte &- UInt8(ascii: "0") < 10 {
                if digits < 3 { value = value * 10 + Int64(byte - UInt8(ascii: "0")) }
                digits += 1
                rest.removeFirst()
            }
            if digits == 0 { return nil }
            return digits == 1 ? value * 100 : digits == 2 ? value * 10 : value
        }

        /// Seconds east of UTC.
        mutating func offset() -> Int64? {
            guard let sign = rest.popFirst() else { return nil }
            switch sign {
            case UInt8(ascii: "Z"), UInt8(ascii: "z"): return 0
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                guard let hours = number(2, ":"), let minutes = number(2, nil), hours < 24, minutes < 60 else {
                    return nil
                }
                return (hours * 60 + minutes) * 60 * (sign == UInt8(ascii: "-") ? -1 : 1)
            default: return nil
            }
        }
    }
}

extension Int64 {
    /// Division that rounds down, so that times before 1970 count from the start of their day.
    @inline(__always)
    fileprivate func quotientAndFloor(_ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = (self / divisor, self % divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
