import Service

/// Why a command does nothing, in words for the person who gave it.
struct Refusal: ReadableError {
    let description: String
    init(_ description: String) { self.description = description }
}
