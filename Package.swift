// swift-tools-version:6.2
import PackageDescription

// Who may import whom is the architecture: modules import downward only (see README, "The tree").
// Every dependency has its reason in Sources/EventLog/EventLog.docc/Dependencies.md.

/// Language mode 6 brings complete concurrency checking; warnings are errors in our targets, never in dependencies'.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let tls = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}
func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}
/// A processor is one executable of its own under `processors/` with its tests in `Tests/`, e.g. `auto-responder` and
/// `AutoResponderTests`; it never imports another one.
func processor(
    _ name: String, _ more: [Target.Dependency] = [], resources: [Resource] = [], testsUse: [Target.Dependency] = []
) -> [Target] {
    let common: [Target.Dependency] = ["Processing", "WhatsApp", "EventLog"]
    let words = name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }
    return [
        .executableTarget(
            name: name, dependencies: common + ["Service"] + more, path: "processors/\(name)",
            resources: resources, swiftSettings: strict),
        tests(words.joined() + "Tests", common + [.target(name: name), "ProcessorTesting", logging] + testsUse),
    ]
}
func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

/// `millrace processor new <name>` adds a line of its own here.
let processors: [[Target]] = [
    processor("auto-responder", [yaml], resources: [.embedInCode("rules.yaml")]),
    processor("outbound-sender", ["D360", "SendLimits", "Telemetry", lifecycle, metrics], testsUse: ["D360", "SendLimits", "HTTPTesting", "SQLiteLog", "EventLogTesting"]),
    processor("status-tracker"),
    processor("analytics"),
]

let package = Package(
    name: "millrace",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        // Tests alone: a server that speaks HTTP/2 to our client. Hummingbird brings it along.
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.38.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // The log
        library("EventLog"),
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        library("KafkaLog", ["EventLog", "CRdKafka", logging]),
        library("SQLiteParts", [grdb]),
        library("SQLiteLog", ["EventLog", "SQLiteParts", grdb, logging]),
        library("EventLogTesting", ["EventLog", logging]),
        library("Spill", ["EventLog", "SQLiteLog", "Telemetry", logging, metrics, lifecycle]),

        // What WhatsApp and 360dialog are
        library("WhatsApp", ["EventLog", crypto]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        library("D360", ["WhatsApp", "CCurl"]),
        library("SendLimits", ["WhatsApp", "EventLog"]),
        library(
            "HTTPTesting",
            [
                tls, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            ] + nio),

        // The stages
        library("Telemetry", [metrics]),
        library("ServerTLS", [tls]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        library(
            "Ingress", ["WhatsApp", "EventLog", "Telemetry", "ServerTLS", "CZlib", crypto, logging, lifecycle, metrics] + nio),
        library("Processing", ["EventLog", "SQLiteParts", "Telemetry", logging, lifecycle, metrics, grdb]),
        library("ProcessorTesting", ["EventLog", "Processing", "WhatsApp", logging]),
        library(
            "Service",
            [
                "EventLog", "KafkaLog", "SQLiteLog", "Spill", "WhatsApp", "Processing", "Telemetry", "ServerTLS", logging,
                lifecycle, signals, metrics, yaml, system, hummingbird, arguments,
                .product(name: "Configuration", package: "swift-configuration"),
            ]),
        executable(
            "millrace-ingress",
            [
                "Ingress", "Service", "Spill", "WhatsApp", "EventLog", lifecycle,
                .product(name: "Configuration", package: "swift-configuration"),
            ]),
        library(
            "Commands",
            [
                "WhatsApp", "EventLog", "Telemetry", "ServerTLS", crypto, hummingbird, logging, lifecycle, metrics,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
            ]),
        executable(
            "millrace-commands",
            [
                "Commands", "Service", "WhatsApp", "EventLog", lifecycle,
                .product(name: "Configuration", package: "swift-configuration"),
            ]),

        // The operator's tool
        library("Simulator", ["WhatsApp", "D360", "EventLog", logging, lifecycle, hummingbird]),
        executable(
            "millrace",
            [
                "Service", "Processing", "Simulator", "Commands", "Spill", "SendLimits", "D360", "WhatsApp", "EventLog", logging,
                lifecycle, signals, arguments, subprocess, system,
            ]),

        // Benchmarks: `deploy/local bench …`. It names librdkafka to compare with a bare poll loop
        .executableTarget(
            name: "millrace-bench",
            dependencies: [
                "KafkaLog", "SQLiteLog", "CRdKafka", "Processing", "ProcessorTesting", "Telemetry", "EventLogTesting",
                "EventLog", "WhatsApp", "D360", "Simulator", "CurlLoop", logging, arguments,
            ] + nio,
            path: "Tests/Benchmarks", exclude: ["CurlLoop"], swiftSettings: strict),
        // What the sender is compared with; apart, because it names libcurl
        .target(name: "CurlLoop", dependencies: ["CCurl"], path: "Tests/Benchmarks/CurlLoop", swiftSettings: strict),

        // Tests
        tests("EventLogTests", ["EventLog", "EventLogTesting"]),
        tests("SQLitePartsTests", ["SQLiteParts", grdb]),
        tests("SQLiteLogTests", ["SQLiteLog", "EventLogTesting", "EventLog", logging]),
        tests("KafkaLogTests", ["KafkaLog", "EventLogTesting"]),
        tests("SpillTests", ["Spill", "Telemetry", "KafkaLog", "SQLiteLog", "EventLogTesting", "EventLog", logging, lifecycle]),
        tests("WhatsAppTests", ["WhatsApp", "EventLog"], resources: [.copy("Fixtures")]),
        tests("D360Tests", ["D360", "HTTPTesting", "WhatsApp", "EventLog"]),
        tests("SendLimitsTests", ["SendLimits", "WhatsApp", "EventLog", "EventLogTesting"]),
        tests("TelemetryTests", ["Telemetry", "Ingress", "Spill", "Commands", "Processing", "Service", "outbound-sender", metrics, yaml]),
        tests(
            "IngressTests",
            [
                "Ingress", "millrace-ingress", "Service", "Telemetry", "SQLiteLog", "KafkaLog", "WhatsApp",
                "EventLogTesting", "HTTPTesting", "ServerTLS", "CZlib", crypto, logging, lifecycle, metrics, tls,
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + nio),
        tests(
            "CommandsTests",
            [
                "Commands", "Telemetry", "ServerTLS", "SQLiteLog", "KafkaLog", "EventLogTesting", "HTTPTesting", "D360",
                "WhatsApp", "EventLog", yaml, logging, lifecycle,
            ]),
        tests(
            "ProcessingTests", ["Processing", "ProcessorTesting", "Telemetry", "SQLiteLog", "KafkaLog", "EventLogTesting"]),
        tests(
            "ServiceTests",
            [
                "Service", "Telemetry", "Processing", "D360", "WhatsApp", "EventLog", "EventLogTesting", "SQLiteLog",
                "KafkaLog", "Spill", logging, lifecycle,
            ]),
        tests("SimulatorTests", ["Simulator", "D360", "EventLog", "WhatsApp", hummingbird, logging, lifecycle]),
        tests("MillraceTests", ["millrace", "Service", "Processing", "SendLimits", "SQLiteLog", "EventLogTesting", "WhatsApp", "EventLog", logging]),
        tests(
            "EndToEnd",
            [
                "Service", "ProcessorTesting", "Simulator", "Spill", "D360", "KafkaLog", "SQLiteLog", "WhatsApp", "EventLog", logging,
                lifecycle, subprocess, system,
            ]),
        tests("OwnProcessorTests", ["SQLiteLog", "ProcessorTesting", "WhatsApp", "EventLog", subprocess, system]),
    ] + processors.flatMap { $0 },
    swiftLanguageModes: [.v6]
)
