// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Agreement of independent workers on the result of a round of operating envelopes: types, events, errors and
/// functions
/// @notice {OepConsensus} states the guarantees. Rounds and epochs are numbered from 1; 0 is the absence of one. A
/// horizon starts at a multiple of 300 s since the Unix epoch and consists of intervals of 300 s. In a bitmap, bit i
/// is the member with index i of the round's electorate.
interface IOepConsensus {
    // ------------------------------------------------------------------------------------------- types: members

    /// @notice The terms of future rounds that an administrator sets.
    struct Policy {
        uint8 quorumNumerator; // share of the members that a quorum needs, rounded up; 2/3 unless there is a reason
        uint8 quorumDenominator;
        uint32 voteWindow; // seconds
        uint32 revealWindow; // seconds, after the vote
        uint16 rulesVersion; // of encoding and tree
    }

    struct NewWorker {
        address operator;
        address signer;
        string url;
    }

    /// @notice The terms of an epoch's rounds, which never change.
    struct Terms {
        uint128 members;
        uint8 memberCount;
        uint8 quorum; // matching ballots that make a root final
        uint8 quorumNumerator;
        uint8 quorumDenominator;
        uint32 voteWindow;
        uint32 revealWindow;
        uint16 rulesVersion;
    }

    /// @notice A signer's time as the voice of one operator.
    struct SeatView {
        address operator;
        address signer;
        uint32 since; // first epoch
        uint32 until; // first epoch without it, or the largest uint32 while the seat is live
        uint8 index;
    }

    // -------------------------------------------------------------------------------------------- types: rounds

    enum Status {
        None,
        Open,
        Final,
        Failed,
        Cancelled
    }

    /// @notice A status, where an open round has a phase by the time and by who has voted.
    enum Phase {
        None,
        Voting,
        Revealing,
        Expired,
        Final,
        Failed,
        Cancelled
    }

    /// @notice Why a worker could not compute a result.
    enum Reason {
        None,
        InputsUnavailable,
        InputMismatch,
        InputInvalid,
        RulesUnknown,
        InternalFault
    }

    struct RoundView {
        Status status;
        Phase phase;
        uint32 epoch;
        uint32 horizonStart; // in units of 300 s since the Unix epoch
        uint16 horizonIntervals;
        uint16 rulesVersion;
        uint40 openedAt;
        uint40 openedInBlock; // where the events of the round begin
        uint40 voteDeadline; // voting until before this second, revealing from it on
        uint40 revealDeadline; // revealing until before this second
        uint8 memberCount;
        uint8 quorum;
        uint128 members;
        uint128 voted; // cast a ballot or abstained
        bytes32 ballotsHash; // zero once final: the events hold the ballots
        bytes32 root; // the rest is zero until final
        uint32 partitions;
        uint128 matched;
    }

    /// @notice A result that was revealed.
    struct CandidateView {
        bytes32 root;
        uint32 partitions;
        uint128 matched; // members that had voted for it
    }

    struct AbstentionView {
        uint8 index;
        Reason reason;
    }

    /// @notice Everything that the contract stores about a round.
    struct RecordView {
        RoundView round;
        Terms terms;
        CandidateView[] candidates; // in the order revealed, so that a final one is the last
        AbstentionView[] abstentions; // by index
        uint128 equivocators;
    }

    // ------------------------------------------------------------------------------------------ events: members

    /// @notice Rounds opened from now on have these members and this quorum.
    event EpochStarted(uint32 indexed epoch, uint128 members, uint8 memberCount, uint8 quorum);
    /// @notice In force from this epoch on.
    event PolicyChanged(
        uint32 indexed epoch,
        uint8 quorumNumerator,
        uint8 quorumDenominator,
        uint32 voteWindow,
        uint32 revealWindow,
        uint16 rulesVersion
    );
    /// @notice A member from this epoch on.
    event WorkerAdded(uint32 indexed epoch, address indexed operator, address indexed signer, uint8 index);
    /// @notice No longer a member from this epoch on.
    event WorkerRemoved(uint32 indexed epoch, address indexed operator, address indexed signer);
    /// @notice The operator votes through another signer from this epoch on.
    event SignerRotated(uint32 indexed epoch, address indexed operator, address indexed signer, address previousSigner);
    event EndpointChanged(address indexed operator, string url);
    event Paused(address indexed by);
    event Unpaused(address indexed by);

    // ------------------------------------------------------------------------------------------- events: rounds

    /// @notice The digests are SHA-256 over the exact bytes of the two inputs.
    event RoundOpened(
        uint32 indexed round,
        uint32 indexed epoch,
        address indexed requester,
        uint32 horizonStart,
        uint16 horizonIntervals,
        bytes32 envelopeDigest,
        bytes32 registryDigest,
        uint16 rulesVersion,
        uint40 voteDeadline,
        uint40 revealDeadline
    );
    /// @notice `custody` is the custody root that the worker computed with its result: whoever replays the round
    /// checks it. On chain it counts for nothing.
    event BallotCast(uint32 indexed round, address indexed operator, bytes32 ballot, bytes32 custody);
    event Abstained(uint32 indexed round, address indexed operator, Reason reason);
    /// @notice A member signed two votes for one round number; a vote of 1 to 5 is an abstention for that reason. The
    /// one that was counted, if any, does not change.
    event Equivocated(uint32 indexed round, address indexed operator, bytes32 ballot, bytes32 otherBallot);
    /// @notice `matched` are the members that had voted for this result.
    event RootRevealed(
        uint32 indexed round, bytes32 indexed root, uint32 partitions, uint128 matched, uint8 count, uint8 quorum
    );
    /// @notice `superseded` is the round that was the latest final one of the same horizon, or 0.
    event RoundFinalised(uint32 indexed round, bytes32 indexed root, uint32 partitions, uint32 superseded);
    /// @notice No quorum before the reveal deadline. `silent` are the members that neither voted nor abstained.
    event RoundFailed(uint32 indexed round, uint128 silent);
    event RoundCancelled(uint32 indexed round, address indexed by, string reason);

    // ------------------------------------------------------------------------------------------ errors: members

    /// @notice The quorum is not a share: its denominator is zero, or it exceeds one.
    error InvalidQuorum(uint8 numerator, uint8 denominator);
    /// @notice A window is zero or too long.
    error InvalidWindow(uint32 longest, uint32 received);
    /// @notice A required value is zero or empty.
    error Missing(string what);
    error TextTooLong(uint256 longest, uint256 received);
    error AlreadyMember(address operator, address signer);
    /// @notice The signer has, or had, the seat of this operator.
    error SignerUsed(address signer, address operator);
    error ElectorateFull(uint256 most);
    /// @notice The account is not the operator of a member.
    error NotMember(address account);
    error UnknownEpoch(uint32 last, uint32 received);
    /// @notice The contract would be left without an administrator.
    error LastAdministrator(address account);
    /// @notice This contract cannot act in a role.
    error OwnAddress(address account);
    /// @notice Opening and voting are stopped, or, for {unpause}, are not stopped.
    error PauseState(bool expected, bool received);

    // ------------------------------------------------------------------------------------------- errors: rounds

    error UnknownRound(uint32 last, uint32 received);
    error EmptyElectorate(uint32 epoch);
    error EmptyHorizon();
    error WrongStatus(uint32 round, Status expected, Status received);
    error VotingClosed(uint32 round, uint40 deadline, uint256 time);
    /// @notice Before the voting deadline, and these members have not voted.
    error VotingStillOpen(uint32 round, uint40 deadline, uint256 time, uint128 waiting);
    /// @notice Every member has voted or abstained, so the vote is over before its deadline.
    error EverybodyVoted(uint32 round);
    error RevealClosed(uint32 round, uint40 deadline, uint256 time);
    error RevealStillOpen(uint32 round, uint40 deadline, uint256 time);
    /// @notice The account is not a signer of the round's epoch.
    error NotInElectorate(address account, uint32 epoch);
    /// @notice The member has already cast a ballot or abstained.
    error AlreadyVoted(uint32 round, address operator);
    /// @notice Ballots below `lowest` are the reasons of signed abstentions; use {abstain}.
    error ReservedBallot(uint256 lowest, bytes32 received);
    /// @notice An abstention has no custody root.
    error CustodyOfAbstention(bytes32 expected, bytes32 received);
    /// @notice No address is recovered from the signature of this entry, or its s is in the upper half.
    error InvalidSignature(uint256 entry);
    /// @notice The signature of this entry is by an account that is not a signer of the round's epoch, or was made for
    /// another round, contract or chain: then the recovered account is an arbitrary one.
    error SignerNotInElectorate(uint256 entry, address recovered, uint32 epoch);
    /// @notice This entry is a second one by the same member.
    error DuplicateEntry(uint256 entry, address operator);
    /// @notice The batch was empty, or all its members had voted before.
    error NothingCast(uint32 round);
    /// @notice The two ballots are equal.
    error SameBallot(uint32 round, address operator);
    /// @notice The two ballots are by two members.
    error TwoSigners(address first, address second);
    error AlreadyEquivocated(uint32 round, address operator);
    /// @notice The time for evidence is over: a key that leaks long after its last vote accuses nobody.
    error EvidenceClosed(uint32 round, uint256 deadline, uint256 time);
    /// @notice The length is not a multiple of a ballot's, or not that of the required number of ballots.
    error BallotsLength(uint256 each, uint256 received);
    /// @notice The supplied ballots are not the ones that were cast, in the order cast.
    error BallotsMismatch(bytes32 expected, bytes32 received);
    /// @notice Nobody voted for this result.
    error NothingMatched(uint32 round, bytes32 resultHash);
    error AlreadyRevealed(uint32 round, bytes32 resultHash, uint128 matched);

    // --------------------------------------------------------------------------------------- functions: members

    /// @notice Adds workers, from the next epoch on; one epoch begins for all of them.
    /// @param workers Operators that are not members, and signers never used.
    function addWorkers(NewWorker[] calldata workers) external;

    /// @notice Removes a worker, from the next epoch on. Open rounds keep its vote.
    function removeWorker(address operator) external;

    /// @notice Gives the calling operator another signer, from the next epoch on. In open rounds its former signer
    /// votes.
    /// @param signer An address that was never a signer.
    function rotateSigner(address signer) external;

    /// @notice Sets quorum, windows and rules version, from the next epoch on.
    function setPolicy(Policy calldata policy) external;

    /// @notice Sets the URL of the calling operator's worker. Takes effect at once.
    function setEndpoint(string calldata url) external;

    /// @notice Stops opening and voting; reveals, closing, cancelling and evidence continue.
    function pause() external;

    /// @notice Lets opening and voting continue.
    function unpause() external;

    // ---------------------------------------------------------------------------------------- functions: rounds

    /// @notice Opens a round with the electorate, quorum, windows and rules of the current epoch.
    /// @param horizonStart In units of 300 s since the Unix epoch.
    /// @param horizonIntervals Number of intervals of 300 s.
    /// @param envelopeDigest SHA-256 of the envelope document's bytes.
    /// @param registryDigest SHA-256 of the registry snapshot's bytes.
    /// @return number The round's number.
    function openRound(uint32 horizonStart, uint16 horizonIntervals, bytes32 envelopeDigest, bytes32 registryDigest)
        external
        returns (uint32 number);

    /// @notice Casts the calling signer's ballot.
    /// @param number The round.
    /// @param ballot The blind ballot, see {ballotFor}.
    /// @param custody The worker's custody root of the round; not zero.
    function castBallot(uint32 number, bytes32 ballot, bytes32 custody) external;

    /// @notice Abstains: the calling signer's worker could not compute a result.
    function abstain(uint32 number, Reason reason) external;

    /// @notice Casts votes that their signers have signed; open to anyone. A ballot of 1 to 5 with a custody root of
    /// zero is an abstention for that reason. A vote whose member has already voted is skipped, so that nobody spoils
    /// a batch by voting a moment earlier; any other error is the caller's mistake, and rejects the entire batch.
    /// @param number The round.
    /// @param signedBallots 128 bytes each: bytes32 ballot ‖ bytes32 custody ‖ bytes32 r ‖ bytes32 yParityAndS, see
    /// {ballotDigest}.
    function castBallots(uint32 number, bytes calldata signedBallots) external;

    /// @notice Records that a member signed two different votes for one round number: two ballots, a ballot and an
    /// abstention, or two reasons. Open to anyone, in a round of any status, paused or not, until {EVIDENCE_TIME}
    /// after the reveal deadline. It changes no vote and no tally. If the chain has replaced the block that opened the
    /// round, one of the two may have been signed for the replaced round: sign only for rounds that are deep enough.
    /// @param number The round.
    /// @param signedBallots The two votes, 128 bytes each as in {castBallots}.
    function reportEquivocation(uint32 number, bytes calldata signedBallots) external;

    /// @notice Reveals a result and counts the ballots cast for it; with a quorum it is final. Open to anyone, once the
    /// voting window has closed or every member has cast a ballot or abstained.
    /// @param number The round.
    /// @param root Root of the round tree.
    /// @param partitions Number of leaves of that tree.
    /// @param ballots All ballots in the order cast, 33 bytes each: uint8 index ‖ bytes32 ballot.
    function revealRoot(uint32 number, bytes32 root, uint32 partitions, bytes calldata ballots) external;

    /// @notice Closes a round whose reveal window has passed without a final root. Open to anyone.
    function failRound(uint32 number) external;

    /// @notice Cancels a round while it is voting: not any more once the deadline has passed or the last member has
    /// voted, when ballots can be counted.
    /// @param number The round.
    /// @param reason For the record.
    function cancelRound(uint32 number, string calldata reason) external;

    // ----------------------------------------------------------------------------------------- views: members

    // Getters of constants, so under the constants' names.
    // slither-disable-start naming-convention

    /// @notice May open and cancel rounds.
    function REQUESTER_ROLE() external view returns (bytes32);

    /// @notice May pause, and nothing else.
    function GUARDIAN_ROLE() external view returns (bytes32);

    /// @notice Maximum number of members at a time: one bit each in a bitmap of 128.
    function MAX_MEMBERS() external view returns (uint256);

    /// @notice Longest voting or reveal window, in seconds.
    function MAX_WINDOW() external view returns (uint32);

    /// @notice Longest URL or reason, in bytes.
    function MAX_TEXT() external view returns (uint256);

    /// @notice Seconds after a round's reveal deadline in which {reportEquivocation} accepts evidence.
    function EVIDENCE_TIME() external view returns (uint256);

    // slither-disable-end naming-convention

    /// @notice The epoch that a round opened now would have.
    function currentEpoch() external view returns (uint32);

    function terms(uint32 epoch) external view returns (Terms memory);

    /// @notice The seats that vote in an epoch, by index. Meant for calls from outside the chain. Its cost grows with
    /// the number of members and hardly with past seats, so that no operator makes it expensive by rotating its signer
    /// endlessly.
    function electorate(uint32 epoch) external view returns (SeatView[] memory members);

    /// @notice The seat of a signer, live or ended; all zero if the address was never a signer.
    function seatOf(address signer) external view returns (SeatView memory);

    /// @notice The signer of a member, or zero if the address is not the operator of a member.
    function signerOf(address operator) external view returns (address);

    /// @notice The URL that was set last for an operator's worker, also after the worker was removed.
    function endpointOf(address operator) external view returns (string memory);

    /// @notice Whether opening and voting are stopped.
    function paused() external view returns (bool);

    // ------------------------------------------------------------------------------------------ views: rounds

    function roundCount() external view returns (uint32);

    function round(uint32 number) external view returns (RoundView memory);

    /// @notice A whole round in one call. Only the input digests and the ballots are not in it: the contract keeps no
    /// more than a hash of the ballots, and their events begin in the block `openedInBlock`.
    function record(uint32 number) external view returns (RecordView memory);

    /// @notice The result of a final round; reverts for any other.
    /// @return root Root of the round tree.
    /// @return partitions Number of leaves of that tree.
    function finalResult(uint32 number) external view returns (bytes32 root, uint32 partitions);

    /// @notice The latest round of a horizon that is final, or 0.
    function latestFinal(uint32 horizonStart, uint16 horizonIntervals) external view returns (uint32);

    /// @notice The hash of a result, to which a ballot is bound.
    function resultHash(bytes32 root, uint32 partitions) external pure returns (bytes32);

    /// @notice The ballot by which a member votes for a result.
    /// @param number The round.
    /// @param index The member's index in the round's electorate.
    /// @param root Root of the round tree.
    /// @param partitions Number of leaves of that tree.
    function ballotFor(uint32 number, uint8 index, bytes32 root, uint32 partitions) external view returns (bytes32);

    /// @notice The hash that a signer signs so that somebody else can cast its vote: the EIP-712 hash of
    /// Ballot(uint64 round,bytes32 ballot,bytes32 custody) in the domain of {eip712Domain}.
    function ballotDigest(uint32 number, bytes32 ballot, bytes32 custody) external view returns (bytes32);

    /// @notice The domain of signatures, as in ERC-5267.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}
