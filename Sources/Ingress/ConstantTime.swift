/// Whether both are the same bytes. The time depends on the length of `given` alone, not on where they differ.
func constantTimeEquals(_ given: some Collection<UInt8>, _ expected: [UInt8]) -> Bool {
    guard !expected.isEmpty else { return given.isEmpty }
    var difference = given.count ^ expected.count
    var at = 0
    for byte in given {
        difference |= Int(byte ^ expected[at])
        at = at + 1 == expected.count ? 0 : at + 1
    }
    return difference == 0
}
