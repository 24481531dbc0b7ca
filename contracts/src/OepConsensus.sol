// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Electorate} from "./Electorate.sol";
import {SignedBallots} from "./SignedBallots.sol";

/// @title Agreement of independent workers on the result of a round of operating envelopes
/// @notice One contract for one sender. A requester opens a round with the digests of its inputs. Each worker votes
/// blind for the result that it computed, or abstains with a reason. Then anyone reveals a result: the contract
/// computes what each member's ballot for it would be, and counts the equal ones. A result with a quorum is final.
///
/// Guarantees
///  1. One worker, one vote, one round: a member casts one ballot or abstains, directly or through a relay, once.
///     Neither can be revoked.
///  2. Only a quorum makes a root final: at least the quorum frozen with the round, itself never less than a strict
///     majority of the round's own electorate.
///  3. At most one root is final in a round.
///  4. A ballot counts only for the result that it was made for, only for its own member, and only once per result. A
///     custody root counts for nothing.
///  5. A round that is final, failed or cancelled stays so, and its votes, results and tallies do not change. Nobody
///     cancels a round once its ballots can be counted.
///  6. Only the electorate of the round's own epoch votes. Changes of members, signers, quorum, windows or rules take
///     effect for rounds opened afterwards. A member removed while a round is open still votes in it.
///  7. Every ballot cast directly costs the same, first or last, and so does every abstention; no action of one account
///     makes another's vote more expensive.
///  8. No round is stranded. Neither a pause nor a change of membership prevents a reveal before the round's reveal
///     deadline, nor closing the round as failed after it.
///  9. A pause stops opening and voting, and never changes a result.
/// 10. Before the reveal, a ballot reveals nothing about its result to anyone who has not computed that result, and
///     cannot be used by another member, in another round, contract or chain.
/// 11. A relay only transports: it casts the ballots and abstentions that signers of the round's epoch signed for this
///     round, contract and chain, and no others. It keeps nobody from voting directly, and no member's vote spoils its
///     batch.
/// 12. An equivocation is recorded once for a member and a round, on two of its own signatures, until a stated time
///     after the round and never later, and changes no tally.
/// 13. There is always an administrator, and it is neither the zero address nor this contract.
///
/// Exact bytes
///  - result hash: keccak256(abi.encode(bytes32 root, uint32 partitions))
///  - ballot:      keccak256(abi.encode(uint256 chainId, address contract, uint64 round, uint8 index,
///                 bytes32 resultHash)), where the index is the member's in the round's electorate
///  - ballots hash: H(0) = keccak256(abi.encode(uint256 chainId, address contract, uint64 round)), and for each ballot
///                 in the order cast H(n) = keccak256(abi.encodePacked(bytes32 H(n-1), uint8 index, bytes32 ballot)).
///                 Abstentions and custody roots are not in it. Only this hash is stored; the ballots are in the
///                 BallotCast events, and the revealer supplies them in the order cast, 33 bytes each:
///                 uint8 index ‖ bytes32 ballot.
///  - abstention:  in a signed vote, a ballot equal to the number of its reason, 1 to 5, with a custody root of zero.
///  - signed:      see SignedBallots.
///
/// @dev No upgrade, no external call but the precompile that recovers signers, and no loop in a state-changing call
/// over anything but its own calldata.
contract OepConsensus is Electorate {
    // Rounds depend on deadlines. A block producer can shift a block's time by seconds, while windows last minutes, and
    // the windows neither overlap nor leave a gap.
    // slither-disable-start timestamp

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
        uint40 openedInBlock;
        uint40 revealDeadline; // first second without revealing
        uint8 quorum;
    }

    // A batch of signed ballots while it is being cast.
    struct Batch {
        uint256 waitingBefore; // members without a vote before the batch: the others are skipped
        uint256 waiting; // members without a vote now
        uint256 epoch;
        bytes32 hash; // of the ballots
        bytes form; // of the signed message
    }

    // -------------------------------------------------------------------------------------------------- constants

    bytes32 public constant REQUESTER_ROLE = keccak256("REQUESTER_ROLE");
    uint256 public constant EVIDENCE_TIME = 30 days;
    uint256 private constant PACKED_BALLOT = 33;
    uint256 private constant LOWEST_BALLOT = uint256(type(Reason).max) + 1; // the numbers below it are reasons

    // ---------------------------------------------------------------------------------------------------- storage

    // In the slot of the epoch, see Electorate.
    uint32 private _roundCount;
    mapping(uint32 round => Round) private _rounds;
    mapping(uint32 round => mapping(uint8 index => Reason)) private _abstentions;
    mapping(uint32 round => mapping(bytes32 resultHash => uint128 matched)) private _candidates; // for lookup
    mapping(uint32 round => CandidateView[]) private _belowQuorum; // the same, in the order revealed
    mapping(uint32 round => uint128 members) private _equivocators;
    mapping(uint48 horizon => uint32 round) private _latestFinal;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @notice Begins epoch 1, without members.
    /// @param admin Holder of the administrator's role.
    /// @param policy Quorum, windows and rules version.
    constructor(address admin, Policy memory policy) Electorate(admin, policy) {}

    // ----------------------------------------------------------------------------------------------------- rounds

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
        round_.reveal = Reveal(0, 0, uint40(block.number), revealDeadline, terms_.quorum);
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

    function castBallot(uint32 number, bytes32 ballot, bytes32 custody) external {
        if (ballot == 0) revert Missing("ballot");
        if (uint256(ballot) < LOWEST_BALLOT) revert ReservedBallot(LOWEST_BALLOT, ballot);
        if (custody == 0) revert Missing("custody");
        Round storage round_ = _rounds[number];
        (address operator, uint256 index) = _takeVote(round_.poll, number);
        round_.ballotsHashOrRoot = _link(round_.ballotsHashOrRoot, index, ballot);
        emit BallotCast(number, operator, ballot, custody);
    }

    function abstain(uint32 number, Reason reason) external {
        if (reason == Reason.None) revert Missing("reason");
        (address operator, uint256 index) = _takeVote(_rounds[number].poll, number);
        _abstain(number, operator, uint8(index), reason);
    }

    function castBallots(uint32 number, bytes calldata signedBallots) external {
        uint256 entries = _entries(signedBallots, SignedBallots.LENGTH);
        Round storage round_ = _rounds[number];
        (uint256 waiting, uint256 epoch) = _requireVoting(round_.poll, number);
        Batch memory batch = Batch(waiting, waiting, epoch, round_.ballotsHashOrRoot, SignedBallots.form(number));
        for (uint256 entry = 0; entry < entries; ++entry) {
            if (!_castOrdinary(number, signedBallots, entry, batch)) _castOther(number, signedBallots, entry, batch);
        }
        if (batch.waiting == waiting) revert NothingCast(number);
        round_.poll.waiting = uint128(batch.waiting);
        round_.ballotsHashOrRoot = batch.hash;
    }

    function reportEquivocation(uint32 number, bytes calldata signedBallots) external {
        if (_entries(signedBallots, SignedBallots.LENGTH) != 2) {
            revert BallotsLength(2 * SignedBallots.LENGTH, signedBallots.length);
        }
        _requireKnown(number);
        uint256 deadline = _rounds[number].reveal.revealDeadline + EVIDENCE_TIME;
        if (block.timestamp >= deadline) revert EvidenceClosed(number, deadline, block.timestamp);
        uint32 epoch = _rounds[number].poll.epoch;
        bytes memory form = SignedBallots.form(number);
        (bytes32 ballot, address operator, uint256 index) = _signed(signedBallots, 0, form, epoch);
        (bytes32 otherBallot, address otherOperator,) = _signed(signedBallots, 1, form, epoch);
        if (operator != otherOperator) revert TwoSigners(operator, otherOperator);
        if (ballot == otherBallot) revert SameBallot(number, operator);
        uint128 known = _equivocators[number];
        uint128 bit = uint128(1 << index);
        if (known & bit != 0) revert AlreadyEquivocated(number, operator);
        _equivocators[number] = known | bit;
        emit Equivocated(number, operator, ballot, otherBallot);
    }

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

    function failRound(uint32 number) external {
        Round storage round_ = _rounds[number];
        _requireOpen(round_.poll.status, number);
        uint40 deadline = round_.reveal.revealDeadline;
        if (block.timestamp < deadline) revert RevealStillOpen(number, deadline, block.timestamp);
        round_.poll.status = Status.Failed;
        emit RoundFailed(number, round_.poll.waiting);
    }

    function cancelRound(uint32 number, string calldata reason) external onlyRole(REQUESTER_ROLE) {
        if (bytes(reason).length == 0) revert Missing("reason");
        _requireText(reason);
        Poll storage poll = _rounds[number].poll;
        (uint128 waiting,) = _requireBeforeVoteDeadline(poll, number);
        if (waiting == 0) revert EverybodyVoted(number);
        poll.status = Status.Cancelled;
        emit RoundCancelled(number, msg.sender, reason);
    }

    // ------------------------------------------------------------------------------------------------------ views

    function roundCount() external view returns (uint32) {
        return _roundCount;
    }

    function round(uint32 number) public view returns (RoundView memory) {
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
            openedAt: poll.voteDeadline - terms_.voteWindow,
            openedInBlock: reveal.openedInBlock,
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

    function record(uint32 number) external view returns (RecordView memory) {
        RoundView memory round_ = round(number);
        return RecordView({
            round: round_,
            terms: _terms[round_.epoch],
            candidates: _revealed(number, round_),
            abstentions: _abstained(number, round_),
            equivocators: _equivocators[number]
        });
    }

    function finalResult(uint32 number) external view returns (bytes32 root, uint32 partitions) {
        Round storage round_ = _rounds[number];
        Status status = round_.poll.status;
        if (status != Status.Final) revert WrongStatus(number, Status.Final, status);
        return (round_.ballotsHashOrRoot, round_.reveal.partitions);
    }

    function latestFinal(uint32 horizonStart, uint16 horizonIntervals) external view returns (uint32) {
        return _latestFinal[_horizon(horizonStart, horizonIntervals)];
    }

    function ballotFor(uint32 number, uint8 index, bytes32 root, uint32 partitions) external view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), number, index, resultHash(root, partitions)));
    }

    function ballotDigest(uint32 number, bytes32 ballot, bytes32 custody) external view returns (bytes32) {
        return SignedBallots.digest(SignedBallots.form(number), ballot, custody);
    }

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

    function resultHash(bytes32 root, uint32 partitions) public pure returns (bytes32) {
        return keccak256(abi.encode(root, partitions));
    }

    // ----------------------------------------------------------------------------------------- internals: rounds

    // Uses the caller's one vote, for a ballot or for an abstention.
    function _takeVote(Poll storage poll, uint32 number) private returns (address operator, uint256 index) {
        (uint128 waiting, uint32 epoch) = _requireVoting(poll, number);
        (operator, index) = _seatIn(epoch, msg.sender);
        if (operator == address(0)) revert NotInElectorate(msg.sender, epoch);
        uint128 bit = uint128(1 << index);
        if (waiting & bit == 0) revert AlreadyVoted(number, operator);
        poll.waiting = waiting & ~bit;
    }

    function _abstain(uint32 number, address operator, uint8 index, Reason reason) private {
        _abstentions[number][index] = reason;
        emit Abstained(number, operator, reason);
    }

    function _requireVoting(Poll storage poll, uint32 number) private view returns (uint128 waiting, uint32 epoch) {
        _requirePaused(false);
        return _requireBeforeVoteDeadline(poll, number);
    }

    function _requireBeforeVoteDeadline(Poll storage poll, uint32 number)
        private
        view
        returns (uint128 waiting, uint32 epoch)
    {
        // Fields of one slot, read in a row, cost one read.
        waiting = poll.waiting;
        epoch = poll.epoch;
        uint40 deadline = poll.voteDeadline;
        Status status = poll.status;
        _requireOpen(status, number);
        if (block.timestamp >= deadline) revert VotingClosed(number, deadline, block.timestamp);
    }

    // Casts a well-formed ballot of a member that waits, and does nothing to any other entry. The conditions are those
    // of _castOther, in one place and without branches, since nearly every entry of a batch meets them all.
    function _castOrdinary(uint32 number, bytes calldata signedBallots, uint256 entry, Batch memory batch)
        private
        returns (bool isOrdinary)
    {
        (bytes32 ballot, bytes32 custody, address signer) = SignedBallots.recover(signedBallots, entry, batch.form);
        Seat storage seat = _seats[signer];
        // Fields of one slot, read in a row, cost one read.
        uint256 since = seat.since;
        uint256 until = seat.until;
        uint256 index = seat.index;
        address operator = seat.operator;
        uint256 lastReason = LOWEST_BALLOT - 1;
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let epoch := mload(add(batch, 64))
            let isMember := lt(sub(epoch, since), sub(until, since)) // since ≤ epoch < until
            let waits := shr(index, mload(add(batch, 32))) // in its lowest bit
            isOrdinary := and(and(isMember, waits), and(gt(ballot, lastReason), gt(custody, 0)))
        }
        // The zero address, for which an invalid signature stands, has no seat.
        if (isOrdinary) {
            batch.waiting ^= 1 << index;
            batch.hash = _link(batch.hash, index, ballot);
            emit BallotCast(number, operator, ballot, custody);
        }
    }

    // Casts an abstention, skips an entry of a member that had voted before the batch, and rejects any other.
    function _castOther(uint32 number, bytes calldata signedBallots, uint256 entry, Batch memory batch) private {
        (bytes32 ballot, address operator, uint256 index) = _signed(signedBallots, entry, batch.form, batch.epoch);
        uint256 bit = 1 << index;
        if (batch.waitingBefore & bit == 0) return;
        if (batch.waiting & bit == 0) revert DuplicateEntry(entry, operator);
        batch.waiting ^= bit;
        _abstain(number, operator, uint8(index), Reason(uint256(ballot)));
    }

    // Reads a signed vote and its member; rejects what could not be cast.
    function _signed(bytes calldata signedBallots, uint256 entry, bytes memory form, uint256 epoch)
        private
        view
        returns (bytes32 ballot, address operator, uint256 index)
    {
        bytes32 custody;
        address signer;
        (ballot, custody, signer) = SignedBallots.recover(signedBallots, entry, form);
        if (signer == address(0)) revert InvalidSignature(entry);
        if (uint256(ballot) >= LOWEST_BALLOT) {
            if (custody == 0) revert Missing("custody");
        } else {
            if (ballot == 0) revert Missing("ballot");
            if (custody != 0) revert CustodyOfAbstention(0, custody);
        }
        (operator, index) = _seatIn(epoch, signer);
        if (operator == address(0)) revert SignerNotInElectorate(entry, signer, uint32(epoch));
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
        // Both preimages are built once and changed in place: hash ‖ packed ballot, 65 bytes, and the five words of
        // {ballotFor}.
        bytes memory link = new bytes(32 + PACKED_BALLOT);
        bytes memory vote = abi.encode(block.chainid, address(this), number, uint8(0), result);
        uint256 bits;
        for (uint256 offset = 0; offset < ballots.length; offset += PACKED_BALLOT) {
            // slither-disable-next-line assembly
            assembly ("memory-safe") {
                let packed := add(ballots.offset, offset)
                mstore(add(link, 32), hash)
                calldatacopy(add(link, 64), packed, PACKED_BALLOT)
                hash := keccak256(add(link, 32), add(32, PACKED_BALLOT))
                let index := byte(0, calldataload(packed))
                mstore(add(vote, 128), index) // fourth word
                let matches := eq(keccak256(add(vote, 32), 160), calldataload(add(packed, 1)))
                bits := or(bits, shl(index, matches))
                count := add(count, matches)
            }
        }
        // Invented entries, which fail the comparison of the hash below, may have any index and number.
        matched = uint128(bits);
        if (hash != expected) revert BallotsMismatch(expected, hash);
    }

    function _entries(bytes calldata packed, uint256 each) private pure returns (uint256) {
        if (packed.length % each != 0) revert BallotsLength(each, packed.length);
        return packed.length / each;
    }

    // The ballots hash with one more ballot.
    function _link(bytes32 hash, uint256 index, bytes32 ballot) private pure returns (bytes32 next) {
        // keccak256(abi.encodePacked(…)), in memory that is not allocated.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hash)
            mstore8(add(free, 32), index)
            mstore(add(free, 33), ballot)
            next := keccak256(free, 65)
        }
    }

    function _emptyBallotsHash(uint32 number) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), number));
    }

    function _revealed(uint32 number, RoundView memory round_) private view returns (CandidateView[] memory list) {
        CandidateView[] storage below = _belowQuorum[number];
        bool isFinal = round_.status == Status.Final;
        list = new CandidateView[](below.length + (isFinal ? 1 : 0));
        for (uint256 i = 0; i < below.length; ++i) {
            list[i] = below[i];
        }
        if (isFinal) list[below.length] = CandidateView(round_.root, round_.partitions, round_.matched);
    }

    function _abstained(uint32 number, RoundView memory round_) private view returns (AbstentionView[] memory list) {
        list = new AbstentionView[](round_.memberCount);
        uint256 found = 0;
        for (uint8 index = 0; round_.voted >> index != 0; ++index) {
            Reason reason = _abstentions[number][index];
            if (reason != Reason.None) list[found++] = AbstentionView(index, reason);
        }
        // Shortens the list to its used length.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            mstore(list, found)
        }
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
