import ArgumentParser
import Simulator

/// What the simulated platform limits and what goes wrong there; all of it off by default.
struct FaultOptions: ParsableArguments {
    @Option(help: "Milliseconds before a send is answered.") var responseMs: Int?
    @Option(help: "Messages per second of each number, in and out together; beyond: 130429.") var numberRate: Double?
    @Option(help: "Messages per second that all numbers of an account send; beyond: 80007.") var accountRate: Double?
    @Flag(help: "One message in 6 s to one user, 45 in a burst lent from the future; beyond: 131056.")
    var pairLimit = false
    @Option(help: "Share of accepted messages whose connection is cut instead of an answer (0 to 1).")
    var cutAnswers = 0.0
    @Option(help: "Share of accepted messages that get no answer at all.") var silentAnswers = 0.0
    @Option(help: "Share of statuses that never come.") var lostStatuses = 0.0
    @Option(help: "Share of statuses that come late.") var lateStatuses = 0.0
    @Option(help: "Seconds by which late statuses are late.") var lateBySeconds = 30
    @Option(help: "Share of statuses that come twice.") var duplicateStatuses = 0.0
    @Option(help: "Seconds from one maintenance (131057) to the next.") var maintenanceEverySeconds: Int?
    @Option(help: "Seconds that a maintenance lasts.") var maintenanceSeconds = 5
    @Option(help: "A phone_number_id whose account is locked (131031); may be given several times.")
    var held: [String] = []

    func validate() throws {
        let shares = [cutAnswers, silentAnswers, lostStatuses, lateStatuses, duplicateStatuses]
        guard shares.allSatisfy((0...1).contains), cutAnswers + silentAnswers <= 1 else {
            throw ValidationError("a share is from 0 to 1, those of cut and silent answers together too")
        }
        guard [numberRate, accountRate].allSatisfy({ $0 ?? 1 > 0 }) else {
            throw ValidationError("a rate is more than 0")
        }
        guard responseMs ?? 0 >= 0, lateBySeconds >= 0, maintenanceSeconds > 0,
            maintenanceEverySeconds ?? .max > maintenanceSeconds
        else { throw ValidationError("times are not negative, and a maintenance is shorter than its interval") }
    }

    func apply(to configuration: inout SimulatorConfiguration) throws {
        if let responseMs { configuration.responseDelay = .milliseconds(responseMs) }
        configuration.limits.numberRate = numberRate
        configuration.limits.accountRate = accountRate
        configuration.limits.limitsPairs = pairLimit
        configuration.faults.cutAnswers = cutAnswers
        configuration.faults.silentAnswers = silentAnswers
        configuration.faults.lostStatuses = lostStatuses
        configuration.faults.lateStatuses = lateStatuses
        configuration.faults.lateBy = .seconds(lateBySeconds)
        configuration.faults.duplicateStatuses = duplicateStatuses
        configuration.faults.maintenanceEvery = maintenanceEverySeconds.map { .seconds($0) }
        configuration.faults.maintenanceLength = .seconds(maintenanceSeconds)
        for id in held {
            guard let index = configuration.numbers.firstIndex(where: { $0.phoneNumberID == id }) else {
                throw ValidationError("--held names no number of this simulator")
            }
            configuration.numbers[index].isHeld = true
        }
    }
}
