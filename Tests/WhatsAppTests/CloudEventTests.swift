import EventLog
import Testing
import WhatsApp

@Suite struct CloudEventTests {
    static let full = CloudEvent(
        type: .messageReceived, id: "wamid.\u{0}\n\"é", source: CloudEvent.source(wabaID: "9001", business: "7001"),
        subject: "wamid.\u{0}\n\"é", time: Timestamp(milliseconds: 1_790_000_007_005), timeIsArrival: true,
        recordedTime: Timestamp(seconds: 1_790_000_008), partitionKey: "7001:1555", correlationID: "c",
        causationID: "k",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    @Test func readsBackEveryAttribute() throws {
        #expect(try CloudEvent(Self.full.headers) == Self.full)
    }

    @Test func writesTheKafkaBinding() {
        let headers = Self.full.headers
        #expect(headers.string("content-type") == "application/json")
        #expect(headers.string("ce_specversion") == "1.0")
        #expect(headers.string("ce_id") == "wamid.\u{0}\n\"é")
        #expect(headers.string("ce_source") == "/360dialog/9001/7001")
        #expect(headers.string("ce_type") == "io.360dialog.whatsapp.message.received.v1")
        #expect(headers.string("ce_time") == "2026-09-21T14:13:27.005Z")
        #expect(headers.string("ce_timesource") == "arrival")
        #expect(headers.string("ce_recordedtime") == "2026-09-21T14:13:28Z")
    }

    @Test func leavesOutWhatIsUnknown() throws {
        let event = CloudEvent(
            type: .otherReceived, id: "1", source: "/360dialog/-/shop", time: nil, recordedTime: nil, partitionKey: nil)
        #expect(event.headers.map(\.name) == ["content-type", "ce_specversion", "ce_source", "ce_id", "ce_type"])
        #expect(try CloudEvent(event.headers) == event)
    }

    @Test(arguments: ["ce_id", "ce_source", "ce_type"])
    func refusesRecordsWithoutIdentity(_ name: String) {
        let kept = Headers(Array(Self.full.headers).filter { $0.name != name })
        #expect(throws: MalformedRecord(name)) { try CloudEvent(kept) }
    }

    @Test func sourceIsAURIReferenceWhateverTheIdsHold() {
        #expect(CloudEvent.source(wabaID: nil, business: "shop") == "/360dialog/-/shop")
        #expect(CloudEvent.source(wabaID: "a/b ?#", business: "ä%\n") == "/360dialog/a%2Fb%20%3F%23/%C3%A4%25%0A")
    }
}

@Suite struct RFC3339Tests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400_000, "2000-02-29T00:00:00Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (1_709_210_096_007, "2024-02-29T12:34:56.007Z"), (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
    ])
    func writesAndReads(_ milliseconds: Int64, _ text: String) {
        #expect(RFC3339.string(Timestamp(milliseconds: milliseconds)) == text)
        #expect(RFC3339.parse(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test func staysWithinFourDigitYears() {
        #expect(RFC3339.string(Timestamp(milliseconds: .max)) == "9999-12-31T23:59:59.999Z")
        #expect(RFC3339.string(Timestamp(milliseconds: .min)) == "0000-01-01T00:00:00Z")
    }

    @Test func readsOtherOffsetsAndPrecisions() {
        let expected = Timestamp(milliseconds: 1_790_000_007_100)
        #expect(RFC3339.parse("2026-09-21T16:13:27.1+02:00") == expected)
        #expect(RFC3339.parse("2026-09-21t14:13:27.100999z") == expected)
        #expect(RFC3339.parse("2026-09-21T09:43:27.10-04:30") == expected)
    }

    @Test(arguments: [
        "", "2026-09-21", "2026-09-21T14:13:27", "2026-13-01T00:00:00Z", "2026-09-21T24:00:00Z",
        "2026-09-21T14:13:27.Z",
        "2026-09-21T14:13:27ZZ", "2026-09-21T14:13:27+2:00", "+026-09-21T14:13:27Z", "1790000007",
    ])
    func refusesAnythingElse(_ text: String) {
        #expect(RFC3339.parse(text) == nil)
    }
}

@Suite struct IdentityHashTests {
    @Test func isSHA256OfLengthPrefixedParts() {
        var hash = IdentityHash("status")
        hash.add("a")
        hash.add(ArraySlice("b".utf8))
        hash.add(7)
        hash.addAbsent()
        // Computed with another implementation of SHA-256 (Python's hashlib), cut to 128 bits.
        #expect(hash.hex() == "46acf6423202a2fe3b263bb47b4abd74")
    }

    @Test func listsThatConcatenateAlikeDiffer() {
        var one = IdentityHash("k")
        one.add("ab")
        one.add("c")
        var other = IdentityHash("k")
        other.add("a")
        other.add("bc")
        var absent = IdentityHash("k")
        absent.add("abc")
        absent.addAbsent()
        #expect(Set([one.hex(), other.hex(), absent.hex()]).count == 3)
    }
}
