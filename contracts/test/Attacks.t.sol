// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Attacks, one test for each: the rows of the threat table in docs/contract.md that no test of a single concern
/// covers.
contract AttacksTest is Fixture {
    // An administrator lowers the quorum so that two of five would be enough in an open round.
    function test_QuorumLoweredDuringTheRound() public {
        uint32 round = openWith(5);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vote(round, 2, ROOT);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(0, 1, VOTE_WINDOW, REVEAL_WINDOW, 1));
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(ADMIN);
            consensus.removeWorker(operator(2 + i));
        }
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Revealing);
        assertEq(consensus.round(round).quorum, 4, "quorum");
        assertEq(candidate(round, consensus.resultHash(ROOT, PARTITIONS)), 7, "candidate");
    }

    // Or raises it, or adds members, so that a round with enough votes would fail.
    function test_QuorumRaisedDuringTheRound() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(1, 1, VOTE_WINDOW, REVEAL_WINDOW, 1));
        addWorkers(3, 20);
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    // The epoch changes in the block of the opening: a change before it applies, one after it does not.
    function test_EpochChangesInTheBlockOfTheOpening() public {
        addWorkers(0, 3);
        addWorkers(3, 1);
        uint32 round = open();
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        assertEq(consensus.round(round).epoch, 3, "epoch");
        assertEq(consensus.round(round).members, 15, "members");
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vote(round, 3, ROOT);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(51), 3));
        vm.prank(signer(51));
        consensus.castBallot(round, ROOT, CUSTODY);
    }

    // The operator rotates during a round, hoping for a second vote with the new signer; removed and added again, for a
    // third.
    function test_ASecondVoteByAnotherSigner() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(50));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        IOepConsensus.NewWorker[] memory list = newWorkers(0, 1);
        list[0].signer = signer(51);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        for (uint256 i = 50; i < 52; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(i), 2));
            vm.prank(signer(i));
            consensus.castBallot(round, ROOT, CUSTODY);
            bytes memory batch = signed(round, i, ROOT);
            vm.expectRevert(abi.encodeWithSelector(IOepConsensus.SignerNotInElectorate.selector, 0, signer(i), 2));
            consensus.castBallots(round, batch);
        }
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // Three of ten reveal invented roots, one after the other, to block revealing or make it expensive.
    function test_GasOfAFinalRevealAfterGarbage() public {
        uint256 plain = finalReveal(0);
        uint256 after_ = finalReveal(3);
        assertTrue(after_ <= plain + 100, "garbage made the final reveal dearer");
    }

    function finalReveal(uint256 liars) private returns (uint256) {
        deploy();
        uint32 round = openWith(10);
        delete ballots[round];
        for (uint256 i = 0; i < 10; ++i) {
            vote(round, i, i < liars ? bytes32(0xbad + i) : ROOT);
        }
        for (uint256 i = 0; i < liars; ++i) {
            reveal(round, bytes32(0xbad + i));
        }
        assertEq(consensus.record(round).candidates.length, liars, "candidates");
        reveal(round, ROOT);
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        assertPhase(round, IOepConsensus.Phase.Final);
        assertEq(consensus.record(round).candidates.length, liars + 1, "candidates");
        return gas_;
    }

    // A worker withholds its reveal. Anyone who computed the same result, member or not, reveals it.
    function test_WithheldReveal() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        abstain(round, 2, IOepConsensus.Reason.InputsUnavailable);
        vm.warp(consensus.round(round).revealDeadline - 1);
        reveal(round, ROOT); // by a stranger
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    // A relay accepts a worker's signature and withholds it. The worker sees no event, and votes directly; the relay's
    // later batch changes nothing.
    function test_CensoringRelay() public {
        uint32 round = openWith(3);
        bytes memory kept = signedVote(round, 0, ROOT);
        relayOne(round, 1);
        vm.warp(consensus.round(round).voteDeadline - 10);
        vote(round, 0, ROOT);
        bytes32 before = snapshot(round);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, kept);
        assertEq(snapshot(round), before, "round");
    }

    // A relay withholds a signature until the member has changed its mind and abstained, or hopes that a late one still
    // counts.
    function test_ASignatureKeptTooLong() public {
        uint32 round = openWith(2);
        bytes memory first = signedVote(round, 0, ROOT);
        bytes memory second = signedVote(round, 1, ROOT);
        abstain(round, 0, IOepConsensus.Reason.InputMismatch);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, first);
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(deadline)));
        consensus.castBallots(round, second);
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // Inputs that nobody can fetch: all members abstain, and the vote is over without waiting. Another round proceeds
    // meanwhile; this one is closed as failed after its reveal deadline.
    function test_UnavailableInputs() public {
        uint32 round = openWith(4);
        for (uint256 i = 0; i < 4; ++i) {
            abstain(round, i, IOepConsensus.Reason.InputsUnavailable);
        }
        assertPhase(round, IOepConsensus.Phase.Revealing);
        assertEq(consensus.record(round).abstentions.length, 4, "abstentions");
        uint32 next = open();
        for (uint256 i = 0; i < 4; ++i) {
            vote(next, i, ROOT);
        }
        reveal(next, ROOT);
        assertPhase(next, IOepConsensus.Phase.Final);
    }

    // A requester opens hundreds of rounds. Other rounds cost the same as before; a guardian pauses, and the requester
    // loses its role.
    function test_GasWithThousandsOfRounds() public {
        addWorkers(0, 2);
        vote(open(), 0, ROOT);
        uint256 before = voteGas(open());
        for (uint256 i = 0; i < 2_000; ++i) {
            open(uint32(i));
        }
        uint32 round = open();
        uint256 after_ = voteGas(round);
        assertTrue(after_ < before + 100 && before < after_ + 100, "votes cost more");
        vote(round, 1, ROOT);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);

        vm.prank(GUARDIAN);
        consensus.pause();
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.PauseState.selector, false, true));
        open();
        bytes32 requester = consensus.REQUESTER_ROLE();
        vm.prank(ADMIN);
        consensus.revokeRole(requester, REQUESTER);
        vm.prank(ADMIN);
        consensus.unpause();
    }

    function voteGas(uint32 round) private returns (uint256) {
        vote(round, 0, ROOT);
        return vm.lastCallGas().gasTotalUsed;
    }

    // An operator rotates its signer a thousand times, so that nobody can read the electorate any more.
    function test_GasOfReadingAfterAThousandRotations() public {
        addWorkers(0, 5);
        consensus.electorate(2);
        uint256 before = vm.lastCallGas().gasTotalUsed;
        for (uint160 i = 0; i < 1_000; ++i) {
            vm.prank(operator(0));
            consensus.rotateSigner(address(0x90000 + i));
        }
        IOepConsensus.SeatView[] memory members = consensus.electorate(502);
        uint256 after_ = vm.lastCallGas().gasTotalUsed;
        assertEq(members[0].signer, address(0x90000 + 499), "signer in the middle");
        assertTrue(after_ < before + 100_000, "the electorate is dear to read");
        assertEq(consensus.electorate(2)[0].signer, signer(0), "first signer");
        assertEq(consensus.electorate(1002)[0].signer, address(0x90000 + 999), "last signer");
    }

    // The largest possible electorate: everything stays far below a block's gas limit.
    /// forge-config: default.isolate = true
    function test_GasOfTheLargestElectorate() public {
        uint32 round = openWith(128);
        bytes memory batch;
        for (uint256 i = 0; i < 128; ++i) {
            bytes32 ballot = consensus.ballotFor(round, indexOf(i), ROOT, PARTITIONS);
            batch = bytes.concat(batch, signed(round, i, ballot));
            keep(round, i, ballot);
        }
        consensus.castBallots(round, batch);
        assertTrue(vm.lastCallGas().gasTotalUsed < 1_500_000, "relaying for 128");
        reveal(round, ROOT);
        assertTrue(vm.lastCallGas().gasTotalUsed < 350_000, "revealing for 128");
        assertEq(consensus.round(round).matched, type(uint128).max, "matched");
    }

    // A member with index 127 counts as one with index 0 does, alone and together.
    function test_TheHighestBit() public {
        uint32 round = openWith(128);
        for (uint256 i = 128; i > 42; --i) {
            vote(round, i - 1, ROOT);
        }
        warpToReveal(round);
        assertEq(consensus.round(round).quorum, 86, "quorum");
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
        assertEq(consensus.round(round).matched, type(uint128).max ^ ((1 << 42) - 1), "matched");
    }

    // A block producer shifts the time by a second or two. While members are missing, every second allows exactly one
    // of voting, revealing and failing.
    function testFuzz_WindowsNeitherOverlapNorGape(uint16 offset) public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        uint256 opened = consensus.round(round).openedAt;
        uint256 now_ = opened + uint256(offset) % (VOTE_WINDOW + REVEAL_WINDOW + 5);
        vm.warp(now_);
        bool canVote = succeeds(abi.encodeCall(consensus.castBallot, (round, ROOT, CUSTODY)), signer(2));
        bool canReveal =
            succeeds(abi.encodeCall(consensus.revealRoot, (round, ROOT, PARTITIONS, ballots[round])), STRANGER);
        bool canFail = succeeds(abi.encodeCall(consensus.failRound, (round)), STRANGER);
        assertTrue(canVote == (now_ < opened + VOTE_WINDOW), "voting");
        // A vote just cast makes the round revealable, but with other ballots than these.
        assertTrue(canReveal == (!canVote && now_ < opened + VOTE_WINDOW + REVEAL_WINDOW), "revealing");
        assertTrue(canFail == (now_ >= opened + VOTE_WINDOW + REVEAL_WINDOW), "failing");
    }

    function succeeds(bytes memory call, address caller) private returns (bool done) {
        vm.prank(caller);
        (done,) = address(consensus).call(call);
    }

    // A time too large for the deadlines, in the year 36812, opens no round with a deadline in the past.
    function test_DeadlinesDoNotWrap() public {
        addWorkers(0, 1);
        vm.warp(type(uint40).max - VOTE_WINDOW - REVEAL_WINDOW);
        uint32 round = open();
        assertEq(consensus.round(round).revealDeadline, type(uint40).max, "deadline");
        uint256[2] memory late = [uint256(type(uint40).max) - REVEAL_WINDOW, type(uint40).max];
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(late[i]);
            vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
            open();
        }
        assertEq(consensus.roundCount(), 1, "rounds");
    }

    // An operator loses its signer's key during a round: nobody votes for it, and the next round has the new signer.
    function test_LostSigner() public {
        uint32 round = openWith(3);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(50));
        vote(round, 1, ROOT);
        vote(round, 2, ROOT);
        warpToReveal(round);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 6, "matched without it");
        uint32 next = open();
        castAs(next, signer(50), consensus.ballotFor(next, indexOf(0), ROOT, PARTITIONS));
        assertEq(consensus.round(next).voted, 1, "voted");
        // If the operator's key is lost too, the administrator removes the worker, which returns under another address.
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        IOepConsensus.NewWorker[] memory list = newWorkers(60, 1);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        assertEq(consensus.seatOf(signer(60)).index, 0, "its place");
    }

    // An administrator grants itself the other roles. It can then cancel rounds and pause, with events; it cannot make
    // a root final, nor change a final one.
    function test_AnAdministratorWithEveryOffice() public {
        uint32 finalised = openWith(3);
        vote(finalised, 0, ROOT);
        vote(finalised, 1, ROOT);
        vote(finalised, 2, ROOT);
        reveal(finalised, ROOT);
        uint32 round = open();
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        bytes32 requester = consensus.REQUESTER_ROLE();
        vm.prank(ADMIN);
        consensus.grantRole(requester, ADMIN);
        vm.prank(ADMIN);
        consensus.cancelRound(round, "not what was wanted");
        assertPhase(round, IOepConsensus.Phase.Cancelled);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, finalised, IOepConsensus.Status.Open, IOepConsensus.Status.Final
            )
        );
        vm.prank(ADMIN);
        consensus.cancelRound(finalised, "not what was wanted");
    }

    // A guardian pauses again and again: its role is revoked first, and then the pause is lifted for good.
    function test_AGuardianThatWillNotStop() public {
        bytes32 guardian = consensus.GUARDIAN_ROLE();
        vm.prank(GUARDIAN);
        consensus.pause();
        vm.prank(ADMIN);
        consensus.revokeRole(guardian, GUARDIAN);
        vm.prank(ADMIN);
        consensus.unpause();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, GUARDIAN, guardian)
        );
        vm.prank(GUARDIAN);
        consensus.pause();
    }

    // A thief of an operator's key rotates to a signer of its own: a vote in rounds opened afterwards, until the
    // administrator removes the worker. The open round keeps its signer.
    function test_AStolenOperatorKey() public {
        uint32 round = openWith(3);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(66));
        vote(round, 0, ROOT);
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        uint32 next = open();
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(66), 4));
        vm.prank(signer(66));
        consensus.castBallot(next, ROOT, CUSTODY);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotMember.selector, operator(0)));
        vm.prank(operator(0));
        consensus.rotateSigner(signer(67));
    }

    // A member reads in the mempool that somebody is to be added with this signer, and rotates to it first. The
    // newcomer is added with another one; the member has lost its own vote, because it has no key to its new signer.
    function test_ASquattedSigner() public {
        addWorkers(0, 3);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(3));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(3), operator(0)));
        vm.prank(ADMIN);
        consensus.addWorkers(newWorkers(3, 1));
        IOepConsensus.NewWorker[] memory list = newWorkers(3, 1);
        list[0].signer = signer(50);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        uint32 round = open();
        // The newcomer's intended key votes now for the member, if at all.
        castAs(round, signer(3), consensus.ballotFor(round, indexOf(0), ROOT, PARTITIONS));
        castAs(round, signer(50), consensus.ballotFor(round, indexOf(50), ROOT, PARTITIONS));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(0), 4));
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT, CUSTODY);
    }

    // The chain drops the block that opened round 1, and opens another round under that number. A ballot signed for the
    // first can be cast in the second: it counts for its own result only, but uses the vote, and together with a newly
    // signed ballot it is evidence. Hence signers wait until the opening is deep enough.
    function test_ABallotOfALostBranch() public {
        addWorkers(0, 3);
        bytes memory lost = signedVote(1, 0, OTHER_ROOT);
        uint32 round = open();
        keep(round, 0, consensus.ballotFor(round, indexOf(0), OTHER_ROOT, PARTITIONS));
        vm.prank(STRANGER);
        consensus.castBallots(round, lost);
        bytes32 afresh = consensus.ballotFor(round, indexOf(0), ROOT, PARTITIONS);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.castBallot(round, afresh, CUSTODY);
        consensus.reportEquivocation(round, bytes.concat(lost, signed(round, 0, afresh)));
        assertEq(consensus.record(round).equivocators, 1, "equivocators");
        vote(round, 1, ROOT);
        vote(round, 2, ROOT);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
        assertEq(consensus.round(round).matched, 6, "matched");
    }

    // Somebody copies a relay's batch from the mempool and has it mined first: the ballots are cast all the same.
    function test_ACopiedBatch() public {
        uint32 round = openWith(3);
        bytes memory batch = bytes.concat(signedVote(round, 0, ROOT), signedVote(round, 1, ROOT));
        vm.prank(STRANGER);
        consensus.castBallots(round, batch);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, batch);
        assertEq(consensus.round(round).voted, 3, "voted");
    }

    // A requester counts the ballots for the results that it knows, and cancels a round whose verdict it does not like.
    // As soon as ballots can be counted, it is too late; before that, the cancellation and all votes stay on record, and
    // another round of the horizon is not affected.
    function test_CancellingAgainstTheVotes() public {
        uint32 round = openWith(3);
        uint32 again = open();
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        uint256 state = vm.snapshotState();
        vote(round, 2, ROOT);
        cannotCancel(round, abi.encodeWithSelector(IOepConsensus.EverybodyVoted.selector, round));
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
        vm.revertToState(state);
        uint40 deadline = consensus.round(round).voteDeadline;
        state = vm.snapshotState();
        vm.warp(deadline);
        cannotCancel(
            round, abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(deadline))
        );
        vm.revertToState(state);
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "second thoughts");
        assertEq(consensus.round(round).voted, 3, "the votes stay on record");
        for (uint256 i = 0; i < 3; ++i) {
            vote(again, i, ROOT);
        }
        reveal(again, ROOT);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, again, IOepConsensus.Status.Open, IOepConsensus.Status.Final
            )
        );
        vm.prank(REQUESTER);
        consensus.cancelRound(again, "too late");
    }

    // A pause during the vote stops further votes; it does not stop an existing quorum.
    function test_PausedWithAnOpenRound() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vm.prank(GUARDIAN);
        consensus.pause();
        bytes memory batch = signedVote(round, 2, ROOT);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.PauseState.selector, false, true));
        consensus.castBallots(round, batch);
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    // Only the members of the round change a tally: ether, unknown calls and other people's ballots are rejected.
    function test_NothingElseGetsIn() public {
        uint32 round = openWith(3);
        bytes32 before = snapshot(round);
        vm.deal(address(this), 1 ether);
        (bool paid,) = address(consensus).call{value: 1}("");
        assertTrue(!paid, "took ether");
        (bool unknown,) = address(consensus).call(hex"deadbeef");
        assertTrue(!unknown, "took an unknown call");
        (bool withEther,) = address(consensus).call{value: 1}(abi.encodeCall(consensus.castBallots, (round, "")));
        assertTrue(!withEther, "took ether with a call");
        assertEq(snapshot(round), before, "round");
    }

    function cannotCancel(uint32 round, bytes memory error_) private {
        bytes32 before = snapshot(round);
        vm.expectRevert(error_);
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "second thoughts");
        assertEq(snapshot(round), before, "round");
    }

    function relayOne(uint32 round, uint256 i) private {
        bytes memory batch = signedVote(round, i, ROOT);
        keep(round, i, consensus.ballotFor(round, indexOf(i), ROOT, PARTITIONS));
        consensus.castBallots(round, batch);
    }
}
