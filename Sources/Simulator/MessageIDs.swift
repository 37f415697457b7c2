import FoundationEssentials
import WhatsApp

/// Message ids of one run: opaque, unique, and the same for the same seed.
struct MessageIDs: Sendable {
    private let seed: UInt64
    private var count: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    /// `wamid.` and base64, or the older shape of the on-premise client.
    mutating func next(_ hosting: Hosting) -> String {
        count += 1
        // The run, then two one-to-one images of the counter: no two ids of a run are alike.
        let words = [SplitMix64.mix(seed), SplitMix64.mix(count), SplitMix64.mix(count &+ seed)]
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        switch hosting {
        case .cloud: return "wamid." + Data(bytes).base64EncodedString()
        case .onPremise:
            return "gBEG"
                + bytes.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
        }
    }
}
