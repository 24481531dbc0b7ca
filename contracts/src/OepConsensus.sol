// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Electorate} from "./Electorate.sol";
import {Entries} from "./Entries.sol";
import {Rfc9162} from "./Rfc9162.sol";
import {SignedBallots} from "./SignedBallots.sol";

/// @title Agreement of independent workers on the result of a round of operating envelopes
/// @notice One contract for one sender. A requester opens a round with the digests of its inputs. Each worker votes
/// blind for the result that it computed, or abstains with a reason. Then anyone reveals a result: the contract
/// computes what each member's ballot for it would be, and counts the equal ones. A result with a quorum is final.
///
/// Guarantees
///  1. One worker, one vote, one round: a member casts one ballot, directly or through a relay, or abstains directly,
///     once. Neither can be revoked.
///  2. Only a quorum makes a root final: at least the quorum frozen with the round, itself never less than a strict
///     majority of the round's own electorate.
///  3. At most one root is final in a round.
///  4. A ballot counts only for the result that it was made for, only for its own operator, and only once per result.
///  5. A round that is final, failed or cancelled stays so, and its votes, results and tallies do not change.
///  6. Only the electorate of the round's own epoch votes. Changes of members, signers, quorum, windows or rules take
///     effect for rounds opened afterwards. A member removed while a round is open still votes in it.
///  7. Every ballot cast directly costs the same, first or last, and so does every abstention; no action of one account
///     makes another's vote more expensive.
///  8. No round is stranded. Neither a pause nor a change of membership prevents a reveal before the round's reveal
///     deadline, nor closing the round as failed after it.
///  9. A pause stops opening and voting, and never changes a result.
/// 10. Before the reveal, a ballot reveals nothing about its result to anyone who has not computed that result, and
///     cannot be used by another operator, in another round, contract or chain.
/// 11. A relay only transports: it casts the ballots that signers of the round's epoch signed for this round, contract
///     and chain, and no others. It keeps nobody from voting directly, and no member's vote spoils its batch.
/// 12. An equivocation is recorded once for a member and a round, on two of its own signatures, and changes no tally.
/// 13. There is always an administrator, and it is never the zero address.
///
/// Exact bytes
///  - result hash: keccak256(abi.encode(bytes32 root, uint32 partitions))
///  - ballot:      keccak256(abi.encode(uint256 chainId, address contract, uint64 round, address operator,
///                 bytes32 resultHash))
///  - ballots hash: H(0) = keccak256(abi.encode(uint256 chainId, address contract, uint64 round)), and for each ballot
///                 in the order cast H(n) = keccak256(abi.encodePacked(bytes32 H(n-1), uint8 index, address operator,
///                 bytes32 ballot)). Abstentions are not in it. Only this hash is stored; the ballots are in the
///                 BallotCast events, and the revealer supplies them in the order cast, 53 bytes each:
///                 uint8 index ‖ address operator ‖ bytes32 ballot.
///  - signed:      see SignedBallots.
///
/// @dev No upgrade, no external call but two precompiles (SHA-256 in the inclusion views, recovery of signers), and no
/// loop in a state-changing call over anything but its own calldata. Rounds, seats and epochs are numbered from 1; 0 is
/// the absence of one.
contract OepConsensus is Electorate {
    // Rounds depend on deadlines. A block producer can shift a block's time by seconds, while windows last minutes, and
    // the windows neither overlap nor leave a gap.
    // slither-disable-start timestamp

    // ------------------------------------------------------------------------------------------------------ types

    /// @notice A round's status, as stored.
    enum Status {
        None,
        Open,
        Final,
        Failed,
        Cancelled
    }

    /// @notice A round's phase: its status, where an open round has a phase by the time.
    enum Phase {
        None,
        Voting,
        Revealing,
        Expired,
        Final,
        Failed,
        Cancelled
    }

    /// @notice The reason why a worker could not compute a result.
    enum Reason {
        None,
        InputsUnavailable,
        InputMismatch,
        InputInvalid,
        RulesUnknown,
        InternalFault
    }

    /// @notice A round as returned by views.
    struct RoundView {
        Status status;
        Phase phase;
        uint32 epoch;
        uint32 horizonStart; // in units of 300 s since the Unix epoch
        uint16 horizonIntervals; // of 300 s
        uint16 rulesVersion;
        uint40 openedAt;
        uint40 voteDeadline; // voting until before this second, revealing from it on
        uint40 revealDeadline; // revealing until before this second
        uint8 memberCount;
        uint8 quorum;
        uint128 members;
        uint128 voted; // bit i: cast a ballot or abstained
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

    /// @notice A member that abstained.
    struct AbstentionView {
        uint8 index;
        Reason reason;
    }

    // Three slots, all written when the round opens, so that each vote and the final reveal only change them.
    struct Round {
        Poll poll;
        bytes32 ballotsHashOrRoot; // the root once final
        Reveal reveal;
    }

    // The slot that a vote reads and changes.
    struct Poll {
        uint128 waiting; // members that have neither cast a ballot nor abstained
        uint32 epoch; // the electorate's
        uint40 voteDeadline; // first second without voting
        uint32 horizonStart; // in units of 300 s
        uint16 horizonIntervals; // of 300 s
        Status status;
    }

    // The slot that a reveal reads and the final one changes.
    struct Reveal {
        uint128 matched; // members that voted for the final root, written with it
        uint32 partitions; // leaves of the tree with the final root, written with it and nowhere else
        uint40 openedAt;
        uint40 revealDeadline; // first second without revealing
        uint8 quorum;
    }

    // A batch of signed ballots while it is being cast.
    struct Batch {
        uint128 waitingBefore; // members without a vote before the batch: the others are skipped
        uint128 waiting; // members without a vote now
        uint32 epoch;
        bytes32 hash; // of the ballots
        bytes form; // of the signed message
    }

    // -------------------------------------------------------------------------------------------------- constants

    /// @notice May open and cancel rounds.
    bytes32 public constant REQUESTER_ROLE = keccak256("REQUESTER_ROLE");
    uint256 private constant PACKED_BALLOT = 53;

    // ---------------------------------------------------------------------------------------------------- storage

    // In the slot of the epoch, see Electorate.
    uint32 private _roundCount;
    mapping(uint32 round => Round) private _rounds;
    mapping(uint32 round => mapping(uint8 index => Reason)) private _abstentions;
    mapping(uint32 round => mapping(bytes32 resultHash => uint128 matched)) private _candidates; // for lookup
    mapping(uint32 round => CandidateView[]) private _belowQuorum; // the same, in the order revealed
    mapping(uint32 round => uint128 members) private _equivocators;
    mapping(uint48 horizon => uint32 round) private _latestFinal;

    // ----------------------------------------------------------------------------------------------------- events

    /// @notice A round opened. The digests are SHA-256 over the exact bytes of the two inputs.
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
    /// @notice A member cast its ballot.
    event BallotCast(uint32 indexed round, address indexed operator, bytes32 ballot);
    /// @notice A member could not compute a result, for this reason.
    event Abstained(uint32 indexed round, address indexed operator, Reason reason);
    /// @notice A member signed two ballots for one round number. The one that was counted, if any, does not change.
    event Equivocated(uint32 indexed round, address indexed operator, bytes32 ballot, bytes32 otherBallot);
    /// @notice A result was revealed, and these members had voted for it.
    event RootRevealed(
        uint32 indexed round, bytes32 indexed root, uint32 partitions, uint128 matched, uint8 count, uint8 quorum
    );
    /// @notice A root is final. `superseded` is the round that was the latest final one of the same horizon, or 0.
    event RoundFinalised(uint32 indexed round, bytes32 indexed root, uint32 partitions, uint32 superseded);
    /// @notice The reveal window closed without a quorum. `silent`: members that neither voted nor abstained.
    event RoundFailed(uint32 indexed round, uint128 silent);
    /// @notice A requester cancelled the round.
    event RoundCancelled(uint32 indexed round, address indexed by, string reason);

    // ----------------------------------------------------------------------------------------------------- errors

    /// @notice There is no such round.
    error UnknownRound(uint32 last, uint32 received);
    /// @notice A round needs at least one member.
    error EmptyElectorate(uint32 epoch);
    /// @notice The horizon has no interval.
    error EmptyHorizon();
    /// @notice The round does not have the status that the call needs.
    error WrongStatus(uint32 round, Status expected, Status received);
    /// @notice The voting window has closed.
    error VotingClosed(uint32 round, uint40 deadline, uint256 time);
    /// @notice The voting window is open, and these members have not voted.
    error VotingStillOpen(uint32 round, uint40 deadline, uint256 time, uint128 waiting);
    /// @notice The reveal window has closed.
    error RevealClosed(uint32 round, uint40 deadline, uint256 time);
    /// @notice The reveal window has not closed.
    error RevealStillOpen(uint32 round, uint40 deadline, uint256 time);
    /// @notice The account is not a signer of the round's epoch.
    error NotInElectorate(address account, uint32 epoch);
    /// @notice The member has already cast a ballot or abstained.
    error AlreadyVoted(uint32 round, address operator);
    /// @notice The signature of this entry is by an account that is not a signer of the round's epoch, or was made for
    /// another round, contract or chain: then the recovered account is an arbitrary one.
    error SignerNotInElectorate(uint256 entry, address recovered, uint32 epoch);
    /// @notice This entry is a second one by the same member.
    error DuplicateEntry(uint256 entry, address operator);
    /// @notice No ballot was cast: the batch was empty, or all its members had voted before.
    error NothingCast(uint32 round);
    /// @notice The two ballots are equal.
    error SameBallot(uint32 round, address operator);
    /// @notice The two ballots are by two members.
    error TwoSigners(address first, address second);
    /// @notice The equivocation has already been recorded.
    error AlreadyEquivocated(uint32 round, address operator);
    /// @notice The length is not a multiple of a ballot's, or not that of the required number of ballots.
    error BallotsLength(uint256 each, uint256 received);
    /// @notice The supplied ballots are not the ones that were cast, in the order cast.
    error BallotsMismatch(bytes32 expected, bytes32 received);
    /// @notice Nobody voted for this result.
    error NothingMatched(uint32 round, bytes32 resultHash);
    /// @notice This result has already been revealed and counted.
    error AlreadyRevealed(uint32 round, bytes32 resultHash, uint128 matched);

    // ------------------------------------------------------------------------------------------------ constructor

    /// @notice Begins epoch 1, without members.
    /// @param admin Holder of the administrator's role.
    /// @param policy Quorum, windows and rules version.
    constructor(address admin, Policy memory policy) Electorate(admin, policy) {}

    // ----------------------------------------------------------------------------------------------------- rounds

    /// @notice Opens a round with the electorate, quorum, windows and rules of the current epoch.
    /// @param horizonStart Start of the horizon, in units of 300 s since the Unix epoch.
    /// @param horizonIntervals Length of the horizon, in intervals of 300 s.
    /// @param envelopeDigest SHA-256 of the envelope document's bytes.
    /// @param registryDigest SHA-256 of the registry snapshot's bytes.
    /// @return number The round's number.
    function openRound(uint32 horizonStart, uint16 horizonIntervals, bytes32 envelopeDigest, bytes32 registryDigest)
        external
        onlyRole(REQUESTER_ROLE)
        returns (uint32 number)
    {
        _requirePaused(false);
        if (horizonIntervals == 0) revert EmptyHorizon();
        if (envelopeDigest == 0) revert Missing("envelopeDigest");
        if (registryDigest == 0) revert Missing("registryDigest");
        uint32 epoch = _epoch;
        Terms memory terms_ = _terms[epoch];
        if (terms_.memberCount == 0) revert EmptyElectorate(epoch);

        number = ++_roundCount;
        uint40 voteDeadline = uint40(block.timestamp) + terms_.voteWindow;
        uint40 revealDeadline = voteDeadline + terms_.revealWindow;
        Round storage round_ = _rounds[number];
        round_.poll = Poll(terms_.members, epoch, voteDeadline, horizonStart, horizonIntervals, Status.Open);
        round_.ballotsHashOrRoot = _emptyBallotsHash(number);
        round_.reveal = Reveal(0, 0, uint40(block.timestamp), revealDeadline, terms_.quorum);
        emit RoundOpened(
            number,
            epoch,
            msg.sender,
            horizonStart,
            horizonIntervals,
            envelopeDigest,
            registryDigest,
            terms_.rulesVersion,
            voteDeadline,
            revealDeadline
        );
    }

    /// @notice Casts the calling signer's ballot.
    /// @param number The round.
    /// @param ballot The blind ballot, see {ballotFor}.
    function castBallot(uint32 number, bytes32 ballot) external {
        if (ballot == 0) revert Missing("ballot");
        Round storage round_ = _rounds[number];
        (address operator, uint8 index) = _takeVote(round_.poll, number);
        round_.ballotsHashOrRoot = _link(round_.ballotsHashOrRoot, index, operator, ballot);
        emit BallotCast(number, operator, ballot);
    }

    /// @notice Casts ballots that their signers have signed; open to anyone. A ballot whose member has already voted is
    /// skipped, so that nobody spoils a batch by voting a moment earlier; any other error is the caller's mistake, and
    /// rejects the entire batch.
    /// @param number The round.
    /// @param signedBallots 96 bytes each: bytes32 ballot ‖ bytes32 r ‖ bytes32 yParityAndS, see {ballotDigest}.
    function castBallots(uint32 number, bytes calldata signedBallots) external {
        uint256 entries = _entries(signedBallots, SignedBallots.LENGTH);
        Round storage round_ = _rounds[number];
        (uint128 waiting, uint32 epoch) = _requireVoting(round_.poll, number);
        Batch memory batch = Batch(waiting, waiting, epoch, round_.ballotsHashOrRoot, SignedBallots.form(number));
        for (uint256 entry = 0; entry < entries; ++entry) {
            (bytes32 ballot, address operator, uint8 index) = _signed(signedBallots, entry, batch.form, batch.epoch);
            uint128 bit = _bit(index);
            if (batch.waitingBefore & bit == 0) continue;
            if (batch.waiting & bit == 0) revert DuplicateEntry(entry, operator);
            batch.waiting &= ~bit;
            batch.hash = _link(batch.hash, index, operator, ballot);
            emit BallotCast(number, operator, ballot);
        }
        if (batch.waiting == batch.waitingBefore) revert NothingCast(number);
        round_.poll.waiting = batch.waiting;
        round_.ballotsHashOrRoot = batch.hash;
    }

    /// @notice Records that a member signed two ballots for one round number. Open to anyone, in a round of any
    /// status, paused or not. It changes no vote and no tally. If the chain has replaced the block that opened the
    /// round, one of the two may have been signed for the replaced round: sign only for rounds that are deep enough.
    /// @param number The round.
    /// @param signedBallots The two ballots, 96 bytes each as in {castBallots}.
    function reportEquivocation(uint32 number, bytes calldata signedBallots) external {
        if (_entries(signedBallots, SignedBallots.LENGTH) != 2) {
            revert BallotsLength(2 * SignedBallots.LENGTH, signedBallots.length);
        }
        _requireKnown(number);
        uint32 epoch = _rounds[number].poll.epoch;
        bytes memory form = SignedBallots.form(number);
        (bytes32 ballot, address operator, uint8 index) = _signed(signedBallots, 0, form, epoch);
        (bytes32 otherBallot, address otherOperator,) = _signed(signedBallots, 1, form, epoch);
        if (operator != otherOperator) revert TwoSigners(operator, otherOperator);
        if (ballot == otherBallot) revert SameBallot(number, operator);
        uint128 known = _equivocators[number];
        if (known & _bit(index) != 0) revert AlreadyEquivocated(number, operator);
        _equivocators[number] = known | _bit(index);
        emit Equivocated(number, operator, ballot, otherBallot);
    }

    /// @notice Abstains: the calling signer's worker could not compute a result.
    /// @param number The round.
    /// @param reason The reason.
    function abstain(uint32 number, Reason reason) external {
        if (reason == Reason.None) revert Missing("reason");
        (address operator, uint8 index) = _takeVote(_rounds[number].poll, number);
        _abstentions[number][index] = reason;
        emit Abstained(number, operator, reason);
    }

    /// @notice Reveals a result and counts the ballots cast for it; with a quorum it is final. Open to anyone, once the
    /// voting window has closed or every member has cast a ballot or abstained.
    /// @param number The round.
    /// @param root Root of the round tree.
    /// @param partitions Number of leaves of that tree.
    /// @param ballots All ballots in the order cast, 53 bytes each: uint8 index ‖ address operator ‖ bytes32 ballot.
    function revealRoot(uint32 number, bytes32 root, uint32 partitions, bytes calldata ballots) external {
        Round storage round_ = _rounds[number];
        _requireRevealing(round_, number);
        bytes32 result = resultHash(root, partitions);
        (uint128 matched, uint256 count) = _tally(number, result, ballots, round_.ballotsHashOrRoot);
        if (count == 0) revert NothingMatched(number, result);
        uint8 quorum = round_.reveal.quorum;
        emit RootRevealed(number, root, partitions, matched, uint8(count), quorum);
        if (count < quorum) {
            // Only here can a result occur twice: votes are over, so one with a quorum would have ended the round.
            uint128 known = _candidates[number][result];
            if (known != 0) revert AlreadyRevealed(number, result, known);
            _candidates[number][result] = matched;
            _belowQuorum[number].push(CandidateView(root, partitions, matched));
            return;
        }
        uint48 horizon = _horizon(round_.poll.horizonStart, round_.poll.horizonIntervals);
        round_.poll.status = Status.Final;
        round_.ballotsHashOrRoot = root;
        round_.reveal.matched = matched;
        round_.reveal.partitions = partitions;
        uint32 superseded = _latestFinal[horizon];
        // A round that ends after a later one of its horizon supersedes nothing.
        if (superseded < number) _latestFinal[horizon] = number;
        else superseded = 0;
        emit RoundFinalised(number, root, partitions, superseded);
    }

    /// @notice Closes a round whose reveal window has passed without a final root. Open to anyone.
    /// @param number The round.
    function failRound(uint32 number) external {
        Round storage round_ = _rounds[number];
        _requireOpen(round_.poll.status, number);
        uint40 deadline = round_.reveal.revealDeadline;
        if (block.timestamp < deadline) revert RevealStillOpen(number, deadline, block.timestamp);
        round_.poll.status = Status.Failed;
        emit RoundFailed(number, round_.poll.waiting);
    }

    /// @notice Cancels a round that has no final root, before its reveal window has passed.
    /// @param number The round.
    /// @param reason The reason, for the record.
    function cancelRound(uint32 number, string calldata reason) external onlyRole(REQUESTER_ROLE) {
        if (bytes(reason).length == 0) revert Missing("reason");
        _requireText(reason);
        Round storage round_ = _rounds[number];
        _requireOpen(round_.poll.status, number);
        _requireBeforeRevealDeadline(round_.reveal.revealDeadline, number);
        round_.poll.status = Status.Cancelled;
        emit RoundCancelled(number, msg.sender, reason);
    }

    // -------------------------------------------------------------------------------------------------- inclusion

    /// @notice Reverts unless the partition entry is in the round's final tree.
    /// @param number A final round.
    /// @param partitionEntry The entry's bytes.
    /// @param index The entry's position in the round tree, from 0.
    /// @param path Sibling hashes from the entry up to the root.
    function verifyPartition(uint32 number, bytes calldata partitionEntry, uint256 index, bytes32[] calldata path)
        public
        view
    {
        Entries.requirePartition(partitionEntry);
        _verifyInFinal(number, partitionEntry, index, path);
    }

    /// @notice Reverts unless the site entry is in the partition's tree, and the partition entry in the round's final
    /// tree.
    /// @param number A final round.
    /// @param siteEntry The site entry's bytes.
    /// @param siteIndex Its position in the partition's tree, from 0.
    /// @param sitePath Sibling hashes from the site entry up to the partition's root.
    /// @param partitionEntry The partition entry's bytes.
    /// @param index Its position in the round tree, from 0.
    /// @param path Sibling hashes from the partition entry up to the round's root.
    function verifySite(
        uint32 number,
        bytes calldata siteEntry,
        uint256 siteIndex,
        bytes32[] calldata sitePath,
        bytes calldata partitionEntry,
        uint256 index,
        bytes32[] calldata path
    ) external view {
        Entries.requireSite(siteEntry);
        (bytes32 root, uint32 sites) = Entries.partition(partitionEntry);
        Rfc9162.verify(Rfc9162.leafHash(siteEntry), siteIndex, sites, sitePath, root);
        _verifyInFinal(number, partitionEntry, index, path);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @notice The number of rounds.
    /// @return The last round.
    function roundCount() external view returns (uint32) {
        return _roundCount;
    }

    /// @notice Everything that the contract stores about a round.
    /// @param number The round.
    /// @return The round's facts.
    function round(uint32 number) external view returns (RoundView memory) {
        _requireKnown(number);
        Poll memory poll = _rounds[number].poll;
        Reveal memory reveal = _rounds[number].reveal;
        Terms memory terms_ = _terms[poll.epoch];
        bytes32 hash = _rounds[number].ballotsHashOrRoot;
        bool isFinal = poll.status == Status.Final;
        return RoundView({
            status: poll.status,
            phase: _phase(poll, reveal),
            epoch: poll.epoch,
            horizonStart: poll.horizonStart,
            horizonIntervals: poll.horizonIntervals,
            rulesVersion: terms_.rulesVersion,
            openedAt: reveal.openedAt,
            voteDeadline: poll.voteDeadline,
            revealDeadline: reveal.revealDeadline,
            memberCount: terms_.memberCount,
            quorum: reveal.quorum,
            members: terms_.members,
            voted: terms_.members & ~poll.waiting,
            ballotsHash: isFinal ? bytes32(0) : hash,
            root: isFinal ? hash : bytes32(0),
            partitions: reveal.partitions,
            matched: reveal.matched
        });
    }

    /// @notice The reason for which a member abstained.
    /// @param number The round.
    /// @param index The member's index in the round's electorate.
    /// @return The reason, or None.
    function abstention(uint32 number, uint8 index) external view returns (Reason) {
        return _abstentions[number][index];
    }

    /// @notice The members that abstained in a round, with their reasons.
    /// @param number The round.
    /// @return list The members that abstained, by index.
    function abstentions(uint32 number) external view returns (AbstentionView[] memory list) {
        _requireKnown(number);
        Poll memory poll = _rounds[number].poll;
        Terms memory terms_ = _terms[poll.epoch];
        list = new AbstentionView[](terms_.memberCount);
        uint256 found = 0;
        uint128 voted = terms_.members & ~poll.waiting;
        for (uint8 index = 0; voted >> index != 0; ++index) {
            Reason reason = _abstentions[number][index];
            if (reason != Reason.None) list[found++] = AbstentionView(index, reason);
        }
        // Shortens the list to its used length.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            mstore(list, found)
        }
    }

    /// @notice The members that were reported to have signed two ballots for a round.
    /// @param number The round.
    /// @return The bitmap of those members.
    function equivocators(uint32 number) external view returns (uint128) {
        _requireKnown(number);
        return _equivocators[number];
    }

    /// @notice All results that were revealed in a round.
    /// @param number The round.
    /// @return list The results in the order revealed, so that a final one is the last.
    function candidates(uint32 number) external view returns (CandidateView[] memory list) {
        _requireKnown(number);
        Round storage round_ = _rounds[number];
        CandidateView[] storage below = _belowQuorum[number];
        bool isFinal = round_.poll.status == Status.Final;
        list = new CandidateView[](below.length + (isFinal ? 1 : 0));
        for (uint256 i = 0; i < below.length; ++i) {
            list[i] = below[i];
        }
        if (isFinal) {
            list[below.length] =
                CandidateView(round_.ballotsHashOrRoot, round_.reveal.partitions, round_.reveal.matched);
        }
    }

    /// @notice The members that had voted for a revealed result.
    /// @param number The round.
    /// @param result The result's hash, see {resultHash}.
    /// @return The bitmap of those members, or 0 where the result was not revealed.
    function candidate(uint32 number, bytes32 result) external view returns (uint128) {
        Round storage round_ = _rounds[number];
        if (round_.poll.status == Status.Final) {
            bytes32 final_ = resultHash(round_.ballotsHashOrRoot, round_.reveal.partitions);
            if (result == final_) return round_.reveal.matched;
        }
        return _candidates[number][result];
    }

    /// @notice The latest round of a horizon that is final.
    /// @param horizonStart Start of the horizon, in units of 300 s since the Unix epoch.
    /// @param horizonIntervals Length of the horizon, in intervals of 300 s.
    /// @return The round, or 0.
    function latestFinal(uint32 horizonStart, uint16 horizonIntervals) external view returns (uint32) {
        return _latestFinal[_horizon(horizonStart, horizonIntervals)];
    }

    /// @notice The ballot by which an operator votes for a result.
    /// @param number The round.
    /// @param operator The operator; its signer casts the ballot.
    /// @param root Root of the round tree.
    /// @param partitions Number of leaves of that tree.
    /// @return The ballot.
    function ballotFor(uint32 number, address operator, bytes32 root, uint32 partitions)
        external
        view
        returns (bytes32)
    {
        return _ballot(number, operator, resultHash(root, partitions));
    }

    /// @notice The hash that a signer signs so that somebody else can cast its ballot: the EIP-712 hash of
    /// Ballot(uint64 round,bytes32 ballot) in the domain of {eip712Domain}.
    /// @param number The round.
    /// @param ballot The blind ballot, see {ballotFor}.
    /// @return The hash.
    function ballotDigest(uint32 number, bytes32 ballot) external view returns (bytes32) {
        return SignedBallots.digest(SignedBallots.form(number), ballot);
    }

    /// @notice The domain of signatures, as in ERC-5267.
    /// @return fields The used ones of the following: the first four.
    /// @return name The name.
    /// @return version The version.
    /// @return chainId The chain.
    /// @return verifyingContract This contract.
    /// @return salt Not used.
    /// @return extensions Empty.
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
        )
    {
        return (
            hex"0f",
            SignedBallots.NAME,
            SignedBallots.VERSION,
            block.chainid,
            address(this),
            bytes32(0),
            new uint256[](0)
        );
    }

    /// @notice The hash of a result, to which a ballot is bound.
    /// @param root Root of the round tree.
    /// @param partitions Number of leaves of that tree.
    /// @return The result's hash.
    function resultHash(bytes32 root, uint32 partitions) public pure returns (bytes32) {
        return keccak256(abi.encode(root, partitions));
    }

    // ----------------------------------------------------------------------------------------- internals: rounds

    // Uses the caller's one vote, for a ballot or for an abstention.
    function _takeVote(Poll storage poll, uint32 number) private returns (address operator, uint8 index) {
        (uint128 waiting, uint32 epoch) = _requireVoting(poll, number);
        (operator, index) = _seatIn(epoch, msg.sender);
        if (operator == address(0)) revert NotInElectorate(msg.sender, epoch);
        uint128 bit = _bit(index);
        if (waiting & bit == 0) revert AlreadyVoted(number, operator);
        poll.waiting = waiting & ~bit;
    }

    function _requireVoting(Poll storage poll, uint32 number) private view returns (uint128 waiting, uint32 epoch) {
        _requirePaused(false);
        // Fields of one slot, read in a row, cost one read.
        waiting = poll.waiting;
        epoch = poll.epoch;
        uint40 deadline = poll.voteDeadline;
        Status status = poll.status;
        _requireOpen(status, number);
        if (block.timestamp >= deadline) revert VotingClosed(number, deadline, block.timestamp);
    }

    // Reads a signed ballot and its member.
    function _signed(bytes calldata signedBallots, uint256 entry, bytes memory form, uint32 epoch)
        private
        view
        returns (bytes32 ballot, address operator, uint8 index)
    {
        address signer;
        (ballot, signer) = SignedBallots.read(signedBallots, entry, form);
        if (ballot == 0) revert Missing("ballot");
        (operator, index) = _seatIn(epoch, signer);
        if (operator == address(0)) revert SignerNotInElectorate(entry, signer, epoch);
    }

    function _requireRevealing(Round storage round_, uint32 number) private view {
        uint128 waiting = round_.poll.waiting;
        uint40 deadline = round_.poll.voteDeadline;
        _requireOpen(round_.poll.status, number);
        if (waiting != 0 && block.timestamp < deadline) {
            revert VotingStillOpen(number, deadline, block.timestamp, waiting);
        }
        _requireBeforeRevealDeadline(round_.reveal.revealDeadline, number);
    }

    // Counts the ballots that were cast for a result. The comparison of the ballots hash at the end proves that these
    // are exactly the ballots that were cast.
    function _tally(uint32 number, bytes32 result, bytes calldata ballots, bytes32 expected)
        private
        view
        returns (uint128 matched, uint256 count)
    {
        _entries(ballots, PACKED_BALLOT);
        bytes32 hash = _emptyBallotsHash(number);
        // Both preimages are built once and changed in place: hash ‖ packed ballot, 85 bytes, and the five words of
        // _ballot.
        bytes memory link = new bytes(32 + PACKED_BALLOT);
        bytes memory vote = abi.encode(block.chainid, address(this), number, address(0), result);
        for (uint256 offset = 0; offset < ballots.length; offset += PACKED_BALLOT) {
            uint256 index;
            bool matches;
            // slither-disable-next-line assembly
            assembly ("memory-safe") {
                let packed := add(ballots.offset, offset)
                mstore(add(link, 32), hash)
                calldatacopy(add(link, 64), packed, PACKED_BALLOT)
                hash := keccak256(add(link, 32), add(32, PACKED_BALLOT))
                index := byte(0, calldataload(packed))
                mstore(add(vote, 128), shr(96, calldataload(add(packed, 1)))) // fourth word: the operator
                matches := eq(keccak256(add(vote, 32), 160), calldataload(add(packed, 21)))
            }
            // Invented entries, which fail the comparison of the hash below, may have any index and number.
            if (matches) {
                matched |= uint128(1 << index);
                ++count;
            }
        }
        if (hash != expected) revert BallotsMismatch(expected, hash);
    }

    function _entries(bytes calldata packed, uint256 each) private pure returns (uint256) {
        if (packed.length % each != 0) revert BallotsLength(each, packed.length);
        return packed.length / each;
    }

    // The ballots hash with one more ballot.
    function _link(bytes32 hash, uint8 index, address operator, bytes32 ballot) private pure returns (bytes32 next) {
        // keccak256(abi.encodePacked(…)), in memory that is not allocated.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hash)
            mstore(add(free, 32), or(shl(248, index), shl(88, operator)))
            mstore(add(free, 53), ballot)
            next := keccak256(free, 85)
        }
    }

    function _ballot(uint32 number, address operator, bytes32 result) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), number, operator, result));
    }

    function _emptyBallotsHash(uint32 number) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), number));
    }

    function _verifyInFinal(uint32 number, bytes calldata partitionEntry, uint256 index, bytes32[] calldata path)
        private
        view
    {
        Round storage round_ = _rounds[number];
        uint32 partitions = round_.reveal.partitions;
        if (partitions == 0) {
            // Only a final root has partitions: the status need not be read if there are some.
            Status status = round_.poll.status;
            if (status != Status.Final) revert WrongStatus(number, Status.Final, status);
        }
        Rfc9162.verify(Rfc9162.leafHash(partitionEntry), index, partitions, path, round_.ballotsHashOrRoot);
    }

    function _phase(Poll memory poll, Reveal memory reveal) private view returns (Phase) {
        if (poll.status == Status.Final) return Phase.Final;
        if (poll.status == Status.Failed) return Phase.Failed;
        if (poll.status == Status.Cancelled) return Phase.Cancelled;
        if (block.timestamp >= reveal.revealDeadline) return Phase.Expired;
        if (block.timestamp >= poll.voteDeadline || poll.waiting == 0) return Phase.Revealing;
        return Phase.Voting;
    }

    function _requireKnown(uint32 number) private view {
        if (number == 0 || number > _roundCount) revert UnknownRound(_roundCount, number);
    }

    function _requireOpen(Status status, uint32 number) private pure {
        if (status != Status.Open) revert WrongStatus(number, Status.Open, status);
    }

    function _requireBeforeRevealDeadline(uint40 deadline, uint32 number) private view {
        if (block.timestamp >= deadline) revert RevealClosed(number, deadline, block.timestamp);
    }

    function _horizon(uint32 start, uint16 intervals) private pure returns (uint48) {
        return uint48(start) << 16 | intervals;
    }
    // slither-disable-end timestamp
}
