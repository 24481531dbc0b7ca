// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../../src/IOepConsensus.sol";
import {OepConsensus} from "../../src/OepConsensus.sol";
import {Bench} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @dev Calls the contract at random, and keeps plain records of its own. Every call is one that must succeed or one
/// that must be rejected, and is checked for it. The records hold members with their epochs, the quorum that follows,
/// and the administrators; they are never read from the contract.
contract Handler is Bench {
    uint256 internal constant CHOICES = 3;
    address internal constant SUCCESSOR = address(0x5cc);
    uint32 internal constant STILL = type(uint32).max;

    // The seat that signer i has or had.
    struct Place {
        address operator;
        uint8 index;
        uint32 since;
        uint32 until;
    }

    // The terms of a round opened now.
    struct Now {
        uint32 epoch;
        uint128 members;
        uint8 memberCount;
        IOepConsensus.Policy policy;
    }

    struct Book {
        uint32 epoch;
        uint128 members;
        uint8 memberCount;
        uint8 quorum;
        uint40 voteDeadline;
        uint40 revealDeadline;
        uint128 voted;
        uint128 abstained;
        uint128 copied; // cast somebody else's ballot, or one made for another round
        uint128[CHOICES] backers; // by choice of root
        uint256[] revealed; // choices, in the order revealed
        uint128 equivocated;
        bytes32 closed; // the round's record when it ended, hashed
        bool isFinal;
        uint256 choice; // of the final root
    }

    // Counts of events, so that a campaign in which nothing happened is noticed.
    struct Happened {
        uint256 direct;
        uint256 relayed;
        uint256 passedOver;
        uint256 batchesRejected;
        uint256 copies;
        uint256 abstentions;
        uint256 relayedAbstentions;
        uint256 finals;
        uint256 candidates;
        uint256 failures;
        uint256 cancellations;
        uint256 equivocations;
        uint256 lateEvidence;
        uint256 pauses;
        uint256 rotations;
        uint256 removals;
        uint256 comebacks;
        uint256 reused;
        uint256 handovers;
        uint256 lastAdministrators;
    }

    // The least and the greatest cost of calls of one kind.
    struct Cost {
        uint256 least;
        uint256 most;
    }

    mapping(uint32 => Book) internal books;
    Happened internal happened;
    Place[] internal places; // by signer; those above the first five belong to newcomers or to rotated operators
    mapping(address operator => uint256 placeAndOne) internal live;
    address[] internal removed;
    Now internal current;
    mapping(address => bool) public isAdministrator;
    uint256 internal administrators = 1;
    bool public isPaused;
    bytes32 public whenPaused; // the state that a pause freezes, when it began
    OepConsensus internal elsewhere; // a contract of the same code
    Cost internal ballotCost;
    Cost internal abstentionCost;

    constructor() {
        deploy();
        elsewhere = new OepConsensus(ADMIN, policy());
        isAdministrator[ADMIN] = true;
        current = Now(1, 0, 0, policy());
        addWorkers(0, 5);
        ++current.epoch;
        for (uint256 i = 0; i < 5; ++i) {
            takePlace(operator(i));
        }
        openRound(0);
    }

    function contractUnderTest() external view returns (OepConsensus) {
        return consensus;
    }

    function book(uint32 round) external view returns (Book memory) {
        return books[round];
    }

    function log() external view returns (Happened memory) {
        return happened;
    }

    function costs() external view returns (Cost memory ballot, Cost memory abstention) {
        return (ballotCost, abstentionCost);
    }

    // Number of signers, former ones included.
    function workers() public view returns (uint256) {
        return places.length;
    }

    // The present administrators.
    function administrator() public view returns (address) {
        return isAdministrator[ADMIN] ? ADMIN : SUCCESSOR;
    }

    function rootOf(uint256 choice) public pure returns (bytes32) {
        return bytes32(choice + 1);
    }

    // ------------------------------------------------------------------------------------------------ rounds, votes

    function openRound(uint8 horizon) public {
        if (isPaused || current.memberCount == 0) return;
        Book storage kept = books[open(HORIZON + horizon % 3)];
        kept.epoch = current.epoch;
        kept.members = current.members;
        kept.memberCount = current.memberCount;
        kept.quorum = quorumNow();
        kept.voteDeadline = uint40(vm.getBlockTimestamp()) + current.policy.voteWindow;
        kept.revealDeadline = kept.voteDeadline + current.policy.revealWindow;
    }

    // A signer votes or abstains in some round; sometimes a former signer, or an account that never was one.
    function castVote(uint256 who, uint256 which, uint256 choice) public {
        uint32 round = pick(which);
        (bool found, uint256 i) = someone(round, who % workers(), ~books[round].voted);
        if (!found || choice % 4 == 0) i = who % (workers() + 1);
        cast(round, i, (choice >> 8) % (CHOICES + 2), true);
    }

    // Many vote, most of them for the same root, as in a successful round.
    function castVotes(uint256 which, uint256 choices) public {
        uint32 round = pick(which);
        for (uint256 i = 0; i < workers(); ++i) {
            uint256 bits = (choices >> (3 * i)) & 7;
            cast(round, i, bits < 6 ? 0 : bits - 5, false);
        }
    }

    // A relay casts a batch: members by the bits, including some that have voted; sometimes with one entry that rejects
    // it.
    function relay(uint256 which, uint256 whom, uint256 choices, uint8 spoil) public {
        uint32 round = pick(which);
        Book storage kept = books[round];
        bool mayVote = !isPaused && kept.closed == 0 && block.timestamp < kept.voteDeadline;
        bytes memory batch;
        uint128 counted;
        uint128 named;
        for (uint256 i = 0; i < workers(); ++i) {
            if ((whom >> i) & 1 == 0 || !votesIn(round, i)) continue;
            named |= bitOf(i);
            batch = bytes.concat(batch, signedChoice(round, i, relayedChoice(choices, i)));
            if (kept.voted & bitOf(i) == 0) counted |= bitOf(i);
        }
        bool isSpoilt = spoil % 3 == 0;
        if (isSpoilt) batch = bytes.concat(batch, spoiling(round, spoil / 3, counted));
        vm.prank(STRANGER);
        try consensus.castBallots(round, batch) {
            assertTrue(mayVote && !isSpoilt && counted != 0, "a batch that must not be");
        } catch {
            assertTrue(!mayVote || isSpoilt || counted == 0, "a batch rejected");
            ++happened.batchesRejected;
            return;
        }
        happened.passedOver += ones(named & ~counted);
        happened.relayed += ones(counted);
        for (uint256 i = 0; i < workers(); ++i) {
            if (counted & bitOf(i) == 0 || (whom >> i) & 1 == 0 || !votesIn(round, i)) continue;
            uint256 choice = relayedChoice(choices, i);
            if (choice == CHOICES + 1) noteAbstention(round, i);
            else note(round, i, choice, ballotOf(round, i, choice));
            if (choice == CHOICES + 1) ++happened.relayedAbstentions;
        }
    }

    // A nearly successful round: some vote directly, a relay casts all ballots, and the votes decide.
    function playRound(uint256 directly, uint256 choices, uint8 horizon) public {
        if (isPaused) return;
        openRound(horizon);
        uint256 mostlyRoot0 = choices & (choices >> 64) & (choices >> 128);
        for (uint256 i = 0; i < workers(); ++i) {
            if ((directly >> i) & 1 == 1) cast(pick(0), i, (mostlyRoot0 >> (2 * i)) & 3, false);
        }
        relay(0, type(uint256).max, mostlyRoot0, 1);
        passTimeToAnEdge(0, 0);
        reveal(0, choices, 1);
        reveal(0, 0, 1);
    }

    function reveal(uint256 which, uint256 choice, uint8 garbage) public {
        uint32 round = pick(which);
        Book storage kept = books[round];
        choice %= CHOICES;
        bytes memory supplied = ballots[round];
        bool isGarbage = garbage % 4 == 0;
        if (isGarbage) {
            if (supplied.length == 0 || garbage % 8 == 0) supplied = bytes.concat(supplied, new bytes(33));
            else supplied[uint256(garbage) % supplied.length] ^= 0x01;
        }
        uint256 count = ones(kept.backers[choice]);
        bool may = kept.closed == 0 && (block.timestamp >= kept.voteDeadline || kept.voted == kept.members)
            && block.timestamp < kept.revealDeadline && count != 0 && !isRevealed(round, choice) && !isGarbage;
        vm.prank(STRANGER);
        try consensus.revealRoot(round, rootOf(choice), PARTITIONS, supplied) {
            assertTrue(may, "a reveal that must not be");
        } catch {
            assertTrue(!may, "a reveal rejected");
            return;
        }
        kept.revealed.push(choice);
        if (count < kept.quorum) {
            ++happened.candidates;
            return;
        }
        kept.isFinal = true;
        kept.choice = choice;
        kept.closed = record(round);
        ++happened.finals;
    }

    function fail(uint256 which) public {
        uint32 round = pick(which);
        bool may = books[round].closed == 0 && block.timestamp >= books[round].revealDeadline;
        try consensus.failRound(round) {
            assertTrue(may, "a failure that must not be");
            books[round].closed = record(round);
            ++happened.failures;
        } catch {
            assertTrue(!may, "a failure rejected");
        }
    }

    function cancel(uint256 which, uint8 seldom) public {
        if (seldom % 8 != 0) return; // otherwise few rounds would become final
        // Of a new round half of the time: others have often been voted for by everybody.
        if (seldom % 16 == 0) openRound(seldom);
        uint32 round = pick(seldom % 16 == 0 ? 0 : which);
        bool may = books[round].closed == 0 && block.timestamp < books[round].voteDeadline
            && books[round].voted != books[round].members;
        vm.prank(REQUESTER);
        try consensus.cancelRound(round, "given up") {
            assertTrue(may, "a cancellation that must not be");
            books[round].closed = record(round);
            ++happened.cancellations;
        } catch {
            assertTrue(!may, "a cancellation rejected");
        }
    }

    function report(uint256 which, uint256 who, uint8 first, uint8 second, uint256 other) public {
        uint32 round = pick(which);
        uint256 i = who % workers();
        uint256 j = other % 3 == 0 ? (i + 1) % workers() : i;
        first %= 5;
        second %= 5;
        bytes memory evidence = bytes.concat(signedChoice(round, i, first), signedChoice(round, j, second));
        bool isLate = block.timestamp >= uint256(books[round].revealDeadline) + 30 days;
        bool may = i == j && votesIn(round, i) && first != second && books[round].equivocated & bitOf(i) == 0 && !isLate;
        if (isLate) ++happened.lateEvidence;
        try consensus.reportEquivocation(round, evidence) {
            assertTrue(may, "evidence that must not be");
            books[round].equivocated |= bitOf(i);
            ++happened.equivocations;
        } catch {
            assertTrue(!may, "evidence rejected");
        }
    }

    function passTime(uint8 seconds_) public {
        vm.warp(vm.getBlockTimestamp() + seconds_ % 60);
    }

    // To a second next to one of a round's deadlines.
    function passTimeToAnEdge(uint256 which, uint8 edge) public {
        Book storage kept = books[pick(which)];
        uint256 target = (edge & 1 == 0 ? kept.voteDeadline : kept.revealDeadline) - ((edge >> 1) & 1);
        if (edge % 16 > 13) target += 30 days; // the end of evidence
        if (target > vm.getBlockTimestamp()) vm.warp(target);
    }

    // ------------------------------------------------------------------------------------------------- the electorate

    // A newcomer, or an operator that was removed once, with a new signer either way; a used one is rejected.
    function addWorker(uint8 seldom) public {
        if (seldom % 4 != 0 || current.memberCount == 9) return;
        IOepConsensus.NewWorker[] memory list = newWorkers(workers(), 1);
        if (seldom % 8 == 0 && removed.length != 0) {
            list[0].operator = removed[removed.length - 1];
            removed.pop();
            ++happened.comebacks;
        }
        list[0].signer = signer(seldom % workers());
        bytes memory rejection = used(seldom % workers());
        vm.prank(administrator());
        try consensus.addWorkers(list) {
            assertTrue(false, "a signer that was one before was added");
        } catch (bytes memory error_) {
            assertEq(error_, rejection, "why");
        }
        list[0].signer = signer(workers());
        vm.prank(administrator());
        consensus.addWorkers(list);
        ++current.epoch;
        takePlace(list[0].operator);
    }

    function removeWorker(uint256 who, uint8 seldom) public {
        if (seldom % 8 != 0) return;
        address account = operator(who % workers());
        if (live[account] == 0) return;
        vm.prank(administrator());
        consensus.removeWorker(account);
        ++current.epoch;
        current.members &= ~(uint128(1) << leavePlace(account));
        --current.memberCount;
        removed.push(account);
        ++happened.removals;
    }

    function rotateSigner(uint256 who, uint8 seldom) public {
        address account = operator(who % workers());
        if (seldom % 4 != 0 || live[account] == 0) return;
        bytes memory rejection = used((who >> 8) % workers());
        vm.prank(account);
        try consensus.rotateSigner(signer((who >> 8) % workers())) {
            assertTrue(false, "rotated to a signer that was one before");
        } catch (bytes memory error_) {
            assertEq(error_, rejection, "why");
        }
        vm.prank(account);
        consensus.rotateSigner(signer(workers()));
        ++current.epoch;
        // The index stays with the operator.
        uint8 index = leavePlace(account);
        takePlaceAt(account, index);
        ++happened.rotations;
    }

    function setPolicy(uint8 share, uint8 voteWindow, uint8 revealWindow) public {
        current.policy =
            IOepConsensus.Policy(share % 4, 3, uint32(voteWindow) % 100 + 1, uint32(revealWindow) % 100 + 1, 1);
        vm.prank(administrator());
        consensus.setPolicy(current.policy);
        ++current.epoch;
    }

    function togglePause(uint8 seldom) public {
        if (!isPaused && seldom % 3 != 0) return;
        bytes32 before = latest();
        vm.prank(isPaused ? administrator() : GUARDIAN);
        if (isPaused) consensus.unpause();
        else consensus.pause();
        isPaused = !isPaused;
        assertEq(latest(), before, "rounds, before and after");
        whenPaused = stoppable();
        if (isPaused) ++happened.pauses;
    }

    // An administrator grants the role, revokes it, or renounces it.
    function handOver(uint8 whom, uint8 how) public {
        address account = whom % 4 == 0 ? address(0) : whom % 2 == 0 ? ADMIN : SUCCESSOR;
        if (whom % 8 == 0) account = address(consensus);
        bytes32 role = consensus.DEFAULT_ADMIN_ROLE();
        if (how % 3 == 0) giveOffice(role, account);
        else if (how % 3 == 1) takeOffice(role, account, false);
        else takeOffice(role, administrator(), true);
    }

    // ---------------------------------------------------------------------------------------------------------- views

    function isRevealed(uint32 round, uint256 choice) public view returns (bool) {
        uint256[] storage list = books[round].revealed;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == choice) return true;
        }
        return false;
    }

    // The state that a pause freezes: the number of rounds, and the votes in existing rounds.
    function stoppable() public view returns (bytes32 hash) {
        uint32 count = consensus.roundCount();
        hash = bytes32(uint256(count));
        for (uint32 round = 1; round <= count; ++round) {
            hash = keccak256(abi.encode(hash, consensus.round(round).voted));
        }
    }

    // The hash of the recorded ballots.
    function ballotsHash(uint32 round) public view returns (bytes32 hash) {
        hash = keccak256(abi.encode(block.chainid, address(consensus), uint64(round)));
        bytes memory packed = ballots[round];
        bytes memory link = new bytes(65);
        for (uint256 at_ = 0; at_ < packed.length; at_ += 33) {
            for (uint256 i = 0; i < 65; ++i) {
                link[i] = i < 32 ? hash[i] : packed[at_ + i - 32];
            }
            hash = keccak256(link);
        }
    }

    // Everything that can be read about a round but its equivocators.
    function record(uint32 round) public view returns (bytes32) {
        return snapshot(round);
    }

    function ones(uint128 bitmap) public pure returns (uint256 count) {
        for (; bitmap != 0; bitmap &= bitmap - 1) {
            ++count;
        }
    }

    // ------------------------------------------------------------------------------------------------------ internals

    function cast(uint32 round, uint256 i, uint256 choice, bool isMeasured) private {
        bool may = !isPaused && books[round].closed == 0 && block.timestamp < books[round].voteDeadline
            && votesIn(round, i) && books[round].voted & bitOf(i) == 0;
        bytes32 ballot = ballotOf(round, i, choice);
        consensus.round(round); // so that every vote finds its slots already accessed
        consensus.seatOf(signer(i));
        vm.prank(signer(i));
        if (choice == CHOICES + 1) {
            try consensus.abstain(round, IOepConsensus.Reason.InputInvalid) {
                assertTrue(may, "an abstention that must not be");
            } catch {
                assertTrue(!may, "an abstention rejected");
                return;
            }
            if (isMeasured) measure(abstentionCost);
            noteAbstention(round, i);
            return;
        }
        try consensus.castBallot(round, ballot, CUSTODY) {
            assertTrue(may, "a vote that must not be");
        } catch {
            assertTrue(!may, "a vote rejected");
            return;
        }
        // The first vote in a transaction; a later one would find the round's slots already changed.
        if (isMeasured) measure(ballotCost);
        ++happened.direct;
        note(round, i, choice, ballot);
    }

    // The error for a signer that was already used. Counted, since it must occur.
    function used(uint256 i) private returns (bytes memory) {
        if (places[i].until != STILL) ++happened.reused;
        return abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(i), places[i].operator);
    }

    function giveOffice(bytes32 role, address account) private {
        vm.prank(administrator());
        try consensus.grantRole(role, account) {
            assertTrue(account != address(0) && account != address(consensus), "nobody as administrator");
        } catch (bytes memory error_) {
            bytes memory why = account == address(0)
                ? abi.encodeWithSelector(IOepConsensus.Missing.selector, "account")
                : abi.encodeWithSelector(IOepConsensus.OwnAddress.selector, address(consensus));
            assertEq(error_, why, "why");
            return;
        }
        if (isAdministrator[account]) return;
        isAdministrator[account] = true;
        ++administrators;
        ++happened.handovers;
    }

    function takeOffice(bytes32 role, address account, bool isOwn) private {
        bool isLast = isAdministrator[account] && administrators == 1;
        bytes memory call_ = isOwn
            ? abi.encodeCall(consensus.renounceRole, (role, account))
            : abi.encodeCall(consensus.revokeRole, (role, account));
        vm.prank(administrator());
        (bool done, bytes memory error_) = address(consensus).call(call_);
        assertTrue(done != isLast, "an administrator kept, or the last one lost");
        if (!done) {
            assertEq(error_, abi.encodeWithSelector(IOepConsensus.LastAdministrator.selector, account), "why");
            ++happened.lastAdministrators;
        } else if (isAdministrator[account]) {
            isAdministrator[account] = false;
            --administrators;
        }
    }

    function takePlace(address account) private {
        uint8 index = 0;
        while ((current.members >> index) & 1 == 1) {
            ++index;
        }
        current.members |= uint128(1) << index;
        ++current.memberCount;
        takePlaceAt(account, index);
    }

    function takePlaceAt(address account, uint8 index) private {
        places.push(Place(account, index, current.epoch, STILL));
        live[account] = places.length;
    }

    function leavePlace(address account) private returns (uint8 index) {
        Place storage place = places[live[account] - 1];
        place.until = current.epoch;
        delete live[account];
        index = place.index;
    }

    // The policy's share, rounded up, and more than half.
    function quorumNow() private view returns (uint8 quorum) {
        while (
            2 * uint256(quorum) <= current.memberCount
                || uint256(quorum) * current.policy.quorumDenominator
                    < uint256(current.memberCount) * current.policy.quorumNumerator
        ) {
            ++quorum;
        }
    }

    function bitOf(uint256 i) private view returns (uint128) {
        return uint128(1) << places[i].index;
    }

    function votesIn(uint32 round, uint256 i) private view returns (bool) {
        if (i >= places.length) return false;
        uint32 epoch = books[round].epoch;
        return places[i].since <= epoch && epoch < places[i].until;
    }

    // Choices 0 to 2 are roots. The next is somebody else's ballot for root 0, or one's own for the round before; the
    // last, in a signed vote, an abstention.
    function ballotOf(uint32 round, uint256 i, uint256 choice) private view returns (bytes32) {
        uint8 own = i < places.length ? places[i].index : 127; // of a stranger
        if (choice == CHOICES + 1) return bytes32(uint256(IOepConsensus.Reason.InputInvalid));
        if (choice < CHOICES) return consensus.ballotFor(round, own, rootOf(choice), PARTITIONS);
        if (i % 2 == 0 || places[i - 1].index == own) {
            return consensus.ballotFor(round - 1, own, rootOf(0), PARTITIONS);
        }
        return consensus.ballotFor(round, places[i - 1].index, rootOf(0), PARTITIONS);
    }

    function signedChoice(uint32 round, uint256 i, uint256 choice) private view returns (bytes memory) {
        return signed(round, i, ballotOf(round, i, choice));
    }

    // One or two entries that must reject the batch: by nobody, by a stranger, two by a member, or by a member for
    // another round, chain or contract.
    function spoiling(uint32 round, uint256 how, uint128 counted) private returns (bytes memory) {
        if (how % 6 == 0) return new bytes(128);
        if (how % 6 == 1) return signed(round, workers() + 7, ROOT); // by a stranger
        (bool found, uint256 i) = someone(round, how / 6, how % 6 == 2 ? counted : ~counted);
        if (!found) return new bytes(1);
        if (how % 6 == 2) return bytes.concat(signedChoice(round, i, 0), signedChoice(round, i, 1)); // twice
        if (how % 6 == 3) return signed(round + 1, i, ROOT);
        return signedElsewhere(round, i, how % 6 == 4);
    }

    // For another chain, or another contract.
    function signedElsewhere(uint32 round, uint256 i, bool onChain) private returns (bytes memory foreign) {
        OepConsensus here = consensus;
        uint256 chain = 31_337; // a literal: the compiler assumes that block.chainid does not change
        if (onChain) vm.chainId(246);
        else consensus = elsewhere;
        foreign = signed(round, i, ROOT);
        vm.chainId(chain);
        consensus = here;
    }

    // One of these members that votes in the round, if there is one.
    function someone(uint32 round, uint256 from, uint128 members) private view returns (bool, uint256) {
        for (uint256 n = 0; n < workers(); ++n) {
            uint256 i = (from + n) % workers();
            if (votesIn(round, i) && members & bitOf(i) != 0) return (true, i);
        }
        return (false, 0);
    }

    function note(uint32 round, uint256 i, uint256 choice, bytes32 ballot) private {
        ballots[round] = bytes.concat(ballots[round], abi.encodePacked(places[i].index, ballot));
        books[round].voted |= bitOf(i);
        if (choice < CHOICES) {
            books[round].backers[choice] |= bitOf(i);
        } else if (ballot == consensus.ballotFor(round, places[i].index, rootOf(0), PARTITIONS)) {
            assertTrue(false, "a copied ballot must not be the member's own");
        } else {
            books[round].copied |= bitOf(i);
            ++happened.copies;
        }
    }

    function noteAbstention(uint32 round, uint256 i) private {
        books[round].voted |= bitOf(i);
        books[round].abstained |= bitOf(i);
        ++happened.abstentions;
    }

    // One of all choices, an abstention included; root 0 where the bits are zero.
    function relayedChoice(uint256 choices, uint256 i) private pure returns (uint256) {
        return ((choices >> (3 * i)) & 7) % (CHOICES + 2);
    }

    function measure(Cost storage cost) private {
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        if (cost.least == 0 || gas_ < cost.least) cost.least = gas_;
        if (gas_ > cost.most) cost.most = gas_;
    }

    function latest() private view returns (bytes32 hash) {
        uint32 count = consensus.roundCount();
        for (uint32 round = count < 4 ? 1 : count - 3; round <= count; ++round) {
            hash = keccak256(abi.encode(hash, record(round)));
        }
    }

    // The newest rounds mostly, so that some get enough votes.
    function pick(uint256 which) private view returns (uint32) {
        uint32 count = consensus.roundCount();
        return count - uint32(which % (count < 3 ? count : 3));
    }
}
