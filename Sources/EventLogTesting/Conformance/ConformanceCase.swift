/// The suite: each case is one promise of `EventLog`'s protocols, and its name says which.
///
/// Every case makes its own topics and group with names that nobody else has. Cases may run side by side, and on a log
/// that others use too.
public enum ConformanceCase: String, CaseIterable, Sendable {
    // Records
    case produceReturnsPositionsOfReadableRecords
    case recordsLandWhereJavaPutsThem
    case aNamedPartitionOverridesTheKey
    case nullAndEmptyAreDifferent
    case recordsWithoutKeyAreTaken
    case headersCarryAnyBytesAndNulls
    case timestampsAreKept
    case eightMebibytesFit
    case fourMebibytesFit
    case aRecordBeyondTheTopicsLimitIsRefused

    // Order
    case orderIsKeptPerKey
    case sendsOfOneThreadKeepTheirOrder
    case concurrentProducersKeepTheirOrder
    case aFullQueueSaysSoAndRecovers
    case aConsumerThatIsNotReadRemainsAMember
    case aConsumerThatIsNotReadHoldsNoMoreThanItsBound

    // Reading
    case recordsAreReadByOffset
    case theEndIsReadableAndBeyondItIsNot
    case aReaderAtTheEndWaitsForTheNextRecord
    case readersDoNotDisturbEachOther
    case offsetsAreFoundByTime
    case aGroupReplaysFromAnOffset
    case aGroupReplaysFromATime

    // Flow
    case nothingIsReadBeforeStart
    case aMemberSeesWhatComesLater
    case aPausedPartitionIsSilentUntilResumed
    case aPartitionMayBePausedBeforeStart
    case afterSeekNoEarlierRecordComes
    case seekToTheEndWaitsForWhatIsNew
    case aConsumerOutsideOfTheRangeSaysSo

    // Commits
    case metadataSurvivesTheRoundTrip
    case metadataBeyondTheLimitIsRefused
    case aCommitMovesTheStartOfTheNextOwner
    case whatIsNotCommittedComesAgain
    case aCommitStoresItsOutputs
    case outputsThatFailLeaveTheCommitAlone
    case onlyTheOwnerCommitsAndProduces
    case afterReleaseNothingIsCommitted
    case aMemberThatDoesNotLetGoIsFenced
    case aCommitDuringRevocationWorks

    // Groups
    case twoMembersShareAndOneTakesOver
    case topicsOfEqualPartitionCountStayTogether
    case aMemberBeyondThePartitionsWaits
    case groupsDoNotDisturbEachOther
    case aCrashBeforeCommitMeansRedelivery
    case aKilledMembersPartitionsAreTakenOver
    case aProcessThatComesBackStaleIsFenced

    // Admin
    case creatingATopicAgainChangesNothing
    case topicsAreCreatedByManyAtOnce
    case namesThatKafkaWouldNotTakeAreRefused
    case aTopicThatIsNotThereIsUnknown
    case aPartitionThatIsNotThereIsUnknown
    case watermarksFollowTheRecords
    case lagIsWhatTheGroupHasNotFinished
    case groupsShowTheirLiveMembers
    case aGroupIsBornOnPurpose
    case aLiveGroupIsNotMovedFromOutside
    case aGroupWithoutMembersIsWoundBack
    case aClosedLogSaysSo
    case aClosedConsumerEndsItsEvents
    case closingTheLogFlushesTheProducer

    // Retention
    case aTopicKeepsItsSize
    case aTopicKeepsItsAge
    case compactionKeepsTheNewestOfEachKey
    case tombstonesGoWhenTheirAgeIsReached

    /// Throws `ConformanceFailure`, or the log's own error where none should come.
    public func run(on subject: any ConformanceSubject) async throws {
        let scene = Scene(subject, rawValue)
        do {
            try await body(scene)
        } catch {
            await scene.close()
            throw error
        }
        await scene.close()
    }

    private var body: (Scene) async throws -> Void {
        switch self {
        case .produceReturnsPositionsOfReadableRecords: RecordCases.produceReturnsPositionsOfReadableRecords
        case .recordsLandWhereJavaPutsThem: RecordCases.recordsLandWhereJavaPutsThem
        case .aNamedPartitionOverridesTheKey: RecordCases.aNamedPartitionOverridesTheKey
        case .nullAndEmptyAreDifferent: RecordCases.nullAndEmptyAreDifferent
        case .recordsWithoutKeyAreTaken: RecordCases.recordsWithoutKeyAreTaken
        case .headersCarryAnyBytesAndNulls: RecordCases.headersCarryAnyBytesAndNulls
        case .timestampsAreKept: RecordCases.timestampsAreKept
        case .eightMebibytesFit: RecordCases.eightMebibytesFit
        case .fourMebibytesFit: RecordCases.fourMebibytesFit
        case .aRecordBeyondTheTopicsLimitIsRefused: RecordCases.aRecordBeyondTheTopicsLimitIsRefused
        case .orderIsKeptPerKey: OrderCases.orderIsKeptPerKey
        case .sendsOfOneThreadKeepTheirOrder: OrderCases.sendsOfOneThreadKeepTheirOrder
        case .concurrentProducersKeepTheirOrder: OrderCases.concurrentProducersKeepTheirOrder
        case .aFullQueueSaysSoAndRecovers: OrderCases.aFullQueueSaysSoAndRecovers
        case .aConsumerThatIsNotReadRemainsAMember: OrderCases.aConsumerThatIsNotReadRemainsAMember
        case .aConsumerThatIsNotReadHoldsNoMoreThanItsBound:
            OrderCases.aConsumerThatIsNotReadHoldsNoMoreThanItsBound
        case .recordsAreReadByOffset: ReadingCases.recordsAreReadByOffset
        case .theEndIsReadableAndBeyondItIsNot: ReadingCases.theEndIsReadableAndBeyondItIsNot
        case .aReaderAtTheEndWaitsForTheNextRecord: ReadingCases.aReaderAtTheEndWaitsForTheNextRecord
        case .readersDoNotDisturbEachOther: ReadingCases.readersDoNotDisturbEachOther
        case .offsetsAreFoundByTime: ReadingCases.offsetsAreFoundByTime
        case .aGroupReplaysFromAnOffset: ReadingCases.aGroupReplaysFromAnOffset
        case .aGroupReplaysFromATime: ReadingCases.aGroupReplaysFromATime
        case .nothingIsReadBeforeStart: FlowCases.nothingIsReadBeforeStart
        case .aMemberSeesWhatComesLater: FlowCases.aMemberSeesWhatComesLater
        case .aPausedPartitionIsSilentUntilResumed: FlowCases.aPausedPartitionIsSilentUntilResumed
        case .aPartitionMayBePausedBeforeStart: FlowCases.aPartitionMayBePausedBeforeStart
        case .afterSeekNoEarlierRecordComes: FlowCases.afterSeekNoEarlierRecordComes
        case .seekToTheEndWaitsForWhatIsNew: FlowCases.seekToTheEndWaitsForWhatIsNew
        case .aConsumerOutsideOfTheRangeSaysSo: FlowCases.aConsumerOutsideOfTheRangeSaysSo
        case .metadataSurvivesTheRoundTrip: CommitCases.metadataSurvivesTheRoundTrip
        case .metadataBeyondTheLimitIsRefused: CommitCases.metadataBeyondTheLimitIsRefused
        case .aCommitMovesTheStartOfTheNextOwner: CommitCases.aCommitMovesTheStartOfTheNextOwner
        case .whatIsNotCommittedComesAgain: CommitCases.whatIsNotCommittedComesAgain
        case .aCommitStoresItsOutputs: CommitCases.aCommitStoresItsOutputs
        case .outputsThatFailLeaveTheCommitAlone: CommitCases.outputsThatFailLeaveTheCommitAlone
        case .onlyTheOwnerCommitsAndProduces: CommitCases.onlyTheOwnerCommitsAndProduces
        case .afterReleaseNothingIsCommitted: CommitCases.afterReleaseNothingIsCommitted
        case .aMemberThatDoesNotLetGoIsFenced: CommitCases.aMemberThatDoesNotLetGoIsFenced
        case .aCommitDuringRevocationWorks: CommitCases.aCommitDuringRevocationWorks
        case .twoMembersShareAndOneTakesOver: GroupCases.twoMembersShareAndOneTakesOver
        case .topicsOfEqualPartitionCountStayTogether: GroupCases.topicsOfEqualPartitionCountStayTogether
        case .aMemberBeyondThePartitionsWaits: GroupCases.aMemberBeyondThePartitionsWaits
        case .groupsDoNotDisturbEachOther: GroupCases.groupsDoNotDisturbEachOther
        case .aCrashBeforeCommitMeansRedelivery: GroupCases.aCrashBeforeCommitMeansRedelivery
        case .aKilledMembersPartitionsAreTakenOver: GroupCases.aKilledMembersPartitionsAreTakenOver
        case .aProcessThatComesBackStaleIsFenced: GroupCases.aProcessThatComesBackStaleIsFenced
        case .creatingATopicAgainChangesNothing: AdminCases.creatingATopicAgainChangesNothing
        case .topicsAreCreatedByManyAtOnce: AdminCases.topicsAreCreatedByManyAtOnce
        case .namesThatKafkaWouldNotTakeAreRefused: AdminCases.namesThatKafkaWouldNotTakeAreRefused
        case .aTopicThatIsNotThereIsUnknown: AdminCases.aTopicThatIsNotThereIsUnknown
        case .aPartitionThatIsNotThereIsUnknown: AdminCases.aPartitionThatIsNotThereIsUnknown
        case .watermarksFollowTheRecords: AdminCases.watermarksFollowTheRecords
        case .lagIsWhatTheGroupHasNotFinished: AdminCases.lagIsWhatTheGroupHasNotFinished
        case .groupsShowTheirLiveMembers: AdminCases.groupsShowTheirLiveMembers
        case .aGroupIsBornOnPurpose: AdminCases.aGroupIsBornOnPurpose
        case .aLiveGroupIsNotMovedFromOutside: AdminCases.aLiveGroupIsNotMovedFromOutside
        case .aGroupWithoutMembersIsWoundBack: AdminCases.aGroupWithoutMembersIsWoundBack
        case .aClosedLogSaysSo: AdminCases.aClosedLogSaysSo
        case .aClosedConsumerEndsItsEvents: AdminCases.aClosedConsumerEndsItsEvents
        case .closingTheLogFlushesTheProducer: AdminCases.closingTheLogFlushesTheProducer
        case .aTopicKeepsItsSize: RetentionCases.aTopicKeepsItsSize
        case .aTopicKeepsItsAge: RetentionCases.aTopicKeepsItsAge
        case .compactionKeepsTheNewestOfEachKey: RetentionCases.compactionKeepsTheNewestOfEachKey
        case .tombstonesGoWhenTheirAgeIsReached: RetentionCases.tombstonesGoWhenTheirAgeIsReached
        }
    }
}
