// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev What somebody with bad intent tried, one test for each: the rows of the threat table in docs/contract.md that
/// no test of a single concern shows.
contract AttacksTest is Fixture {
    // An administrator lowers the quorum so that two of five would do in a round under way.
    function test_QuorumLoweredDuringTheRound() public {
        uint32 round = openWith(5);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vote(round, 2, ROOT);
        vm.prank(ADMIN);
        consensus.setPolicy(Electorate.Policy(0, 1, VOTE_WINDOW, REVEAL_WINDOW, 1));
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(ADMIN);
            consensus.removeWorker(operator(2 + i));
        }
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, OepConsensus.Phase.Revealing);
        assertEq(consensus.round(round).quorum, 4, "quorum");
        assertEq(consensus.candidate(round, consensus.resultHash(ROOT, PARTITIONS)), 7, "candidate");
    }

    // And raises it, or adds members, so that a round which has its votes would fail.
    function test_QuorumRaisedDuringTheRound() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vm.prank(ADMIN);
        consensus.setPolicy(Electorate.Policy(1, 1, VOTE_WINDOW, REVEAL_WINDOW, 1));
        addWorkers(3, 20);
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, OepConsensus.Phase.Final);
    }

    // The epoch changes in the very block of the opening: before it counts, after it does not.
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
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(51), 3));
        vm.prank(signer(51));
        consensus.castBallot(round, ROOT);
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
        Electorate.NewWorker[] memory list = newWorkers(0, 1);
        list[0].signer = signer(51);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        for (uint256 i = 50; i < 52; ++i) {
            vm.expectRevert(abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(i), 2));
            vm.prank(signer(i));
            consensus.castBallot(round, ROOT);
            bytes memory batch = signed(round, i, ROOT);
            vm.expectRevert(abi.encodeWithSelector(OepConsensus.SignerNotInElectorate.selector, 0, signer(i), 2));
            consensus.castBallots(round, batch);
        }
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // Three of ten reveal what they made up, one after the other, to use up the revealing or to make it dear.
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
        assertEq(consensus.candidates(round).length, liars, "candidates");
        reveal(round, ROOT);
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        assertPhase(round, OepConsensus.Phase.Final);
        assertEq(consensus.candidates(round).length, liars + 1, "candidates");
        return gas_;
    }

    // A worker keeps its reveal to itself. Whoever computed the same result, member or not, reveals it.
    function test_WithheldReveal() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        abstain(round, 2, OepConsensus.Reason.InputsUnavailable);
        vm.warp(consensus.round(round).revealDeadline - 1);
        reveal(round, ROOT); // by a stranger
        assertPhase(round, OepConsensus.Phase.Final);
    }

    // A relay takes a worker's signature and sits on it. The worker sees no event, and votes directly; what the relay
    // brings afterwards changes nothing.
    function test_CensoringRelay() public {
        uint32 round = openWith(3);
        bytes memory kept = signedVote(round, 0, ROOT);
        relayOne(round, 1);
        vm.warp(consensus.round(round).voteDeadline - 10);
        vote(round, 0, ROOT);
        bytes32 before = snapshot(round);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, kept);
        assertEq(snapshot(round), before, "round");
    }

    // A relay holds a signature until the member has thought better of it and abstained, or hopes that a late one still
    // counts.
    function test_ASignatureKeptTooLong() public {
        uint32 round = openWith(2);
        bytes memory first = signedVote(round, 0, ROOT);
        bytes memory second = signedVote(round, 1, ROOT);
        abstain(round, 0, OepConsensus.Reason.InputMismatch);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, first);
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.VotingClosed.selector, round, deadline, uint256(deadline)));
        consensus.castBallots(round, second);
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // Inputs that nobody can fetch: all say so, and the vote is over without waiting. Another round takes its course
    // meanwhile; this one is cancelled, or closed as failed after its reveal deadline.
    function test_UnavailableInputs() public {
        uint32 round = openWith(4);
        for (uint256 i = 0; i < 4; ++i) {
            abstain(round, i, OepConsensus.Reason.InputsUnavailable);
        }
        assertPhase(round, OepConsensus.Phase.Revealing);
        assertEq(consensus.abstentions(round).length, 4, "abstentions");
        uint32 next = open();
        for (uint256 i = 0; i < 4; ++i) {
            vote(next, i, ROOT);
        }
        reveal(next, ROOT);
        assertPhase(next, OepConsensus.Phase.Final);
    }

    // A requester opens rounds by the hundred. The others cost what they cost; it is stopped by a guardian, and put out
    // of office.
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
        assertPhase(round, OepConsensus.Phase.Final);

        vm.prank(GUARDIAN);
        consensus.pause();
        vm.expectRevert(abi.encodeWithSelector(Electorate.PauseState.selector, false, true));
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
        Electorate.SeatView[] memory members = consensus.electorate(502);
        uint256 after_ = vm.lastCallGas().gasTotalUsed;
        assertEq(members[0].signer, address(0x90000 + 499), "signer in the middle");
        assertTrue(after_ < before + 100_000, "the electorate is dear to read");
        assertEq(consensus.electorate(2)[0].signer, signer(0), "first signer");
        assertEq(consensus.electorate(1002)[0].signer, address(0x90000 + 999), "last signer");
    }

    // The largest electorate there can be: everything stays far below a block's gas.
    /// forge-config: default.isolate = true
    function test_GasOfTheLargestElectorate() public {
        uint32 round = openWith(128);
        bytes memory batch;
        for (uint256 i = 0; i < 128; ++i) {
            bytes32 ballot = consensus.ballotFor(round, operator(i), ROOT, PARTITIONS);
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
        assertPhase(round, OepConsensus.Phase.Final);
        assertEq(consensus.round(round).matched, type(uint128).max ^ ((1 << 42) - 1), "matched");
    }

    // Whoever makes the blocks shifts the time by a second or two. In no second can one both vote and reveal while
    // members are missing, or both reveal and fail; and there is none in which nothing can be done.
    function testFuzz_WindowsNeitherOverlapNorGape(uint16 offset) public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        uint256 opened = consensus.round(round).openedAt;
        uint256 now_ = opened + uint256(offset) % (VOTE_WINDOW + REVEAL_WINDOW + 5);
        vm.warp(now_);
        bool canVote = succeeds(abi.encodeCall(consensus.castBallot, (round, ROOT)), signer(2));
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

    // A clock beyond what the deadlines hold, in the year 36812, opens no round with a deadline in the past.
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

    // An operator loses its signer's key during a round: nobody votes in its stead, and the next round has the new one.
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
        castAs(next, signer(50), consensus.ballotFor(next, operator(0), ROOT, PARTITIONS));
        assertEq(consensus.round(next).voted, 1, "voted");
        // One that lost the operator's key too is removed by the administrator, and comes back under another address.
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        Electorate.NewWorker[] memory list = newWorkers(60, 1);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        assertEq(consensus.seatOf(signer(60)).index, 0, "its place");
    }

    // An administrator gives itself the other offices. In events, it can then cancel rounds and pause; it cannot make a
    // root final, nor change one that is.
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
        assertPhase(round, OepConsensus.Phase.Cancelled);
        vm.expectRevert(
            abi.encodeWithSelector(
                OepConsensus.WrongStatus.selector, finalised, OepConsensus.Status.Open, OepConsensus.Status.Final
            )
        );
        vm.prank(ADMIN);
        consensus.cancelRound(finalised, "not what was wanted");
    }

    // A guardian pauses again and again: it loses the office first, and then the pause is lifted for good.
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
    // administrator removes the worker. The round that is open keeps the signer it had.
    function test_AStolenOperatorKey() public {
        uint32 round = openWith(3);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(66));
        vote(round, 0, ROOT);
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        uint32 next = open();
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(66), 4));
        vm.prank(signer(66));
        consensus.castBallot(next, ROOT);
        vm.expectRevert(abi.encodeWithSelector(Electorate.NotMember.selector, operator(0)));
        vm.prank(operator(0));
        consensus.rotateSigner(signer(67));
    }

    // A member reads in the pool that somebody is to be added with this signer, and rotates to it first. The newcomer is
    // added with another one; the member has given its own vote away, for it has no key to its new signer.
    function test_ASquattedSigner() public {
        addWorkers(0, 3);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(3));
        vm.expectRevert(abi.encodeWithSelector(Electorate.SignerUsed.selector, signer(3), operator(0)));
        vm.prank(ADMIN);
        consensus.addWorkers(newWorkers(3, 1));
        Electorate.NewWorker[] memory list = newWorkers(3, 1);
        list[0].signer = signer(50);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        uint32 round = open();
        // The key that was to be the newcomer's votes now for the member, if at all.
        castAs(round, signer(3), consensus.ballotFor(round, operator(0), ROOT, PARTITIONS));
        castAs(round, signer(50), consensus.ballotFor(round, operator(3), ROOT, PARTITIONS));
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(0), 4));
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT);
    }

    // The chain drops the block that opened round 1, and opens another round under that number. What was signed for the
    // first can be brought to the second: it counts for its own result only, but uses the vote up, and beside what the
    // member signs afresh it is evidence. Hence signers wait until the opening is deep enough.
    function test_ABallotOfALostBranch() public {
        addWorkers(0, 3);
        bytes memory lost = signedVote(1, 0, OTHER_ROOT);
        uint32 round = open();
        keep(round, 0, consensus.ballotFor(round, operator(0), OTHER_ROOT, PARTITIONS));
        vm.prank(STRANGER);
        consensus.castBallots(round, lost);
        bytes32 afresh = consensus.ballotFor(round, operator(0), ROOT, PARTITIONS);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.castBallot(round, afresh);
        consensus.reportEquivocation(round, bytes.concat(lost, signed(round, 0, afresh)));
        assertEq(consensus.equivocators(round), 1, "equivocators");
        vote(round, 1, ROOT);
        vote(round, 2, ROOT);
        reveal(round, ROOT);
        assertPhase(round, OepConsensus.Phase.Final);
        assertEq(consensus.round(round).matched, 6, "matched");
    }

    // Somebody copies a relay's batch out of the pool and has it mined first: the ballots are cast all the same.
    function test_ACopiedBatch() public {
        uint32 round = openWith(3);
        bytes memory batch = bytes.concat(signedVote(round, 0, ROOT), signedVote(round, 1, ROOT));
        vm.prank(STRANGER);
        consensus.castBallots(round, batch);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NothingCast.selector, round));
        consensus.castBallots(round, batch);
        assertEq(consensus.round(round).voted, 3, "voted");
    }

    // A requester that does not like what it sees cancels: before finality only, on the record, and another round of
    // the horizon goes its own way.
    function test_CancellingAgainstTheVotes() public {
        uint32 round = openWith(3);
        for (uint256 i = 0; i < 3; ++i) {
            vote(round, i, ROOT);
        }
        uint32 again = open();
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "second thoughts");
        assertEq(consensus.round(round).voted, 7, "the votes stay on record");
        for (uint256 i = 0; i < 3; ++i) {
            vote(again, i, ROOT);
        }
        reveal(again, ROOT);
        vm.expectRevert(
            abi.encodeWithSelector(
                OepConsensus.WrongStatus.selector, again, OepConsensus.Status.Open, OepConsensus.Status.Final
            )
        );
        vm.prank(REQUESTER);
        consensus.cancelRound(again, "too late");
    }

    // A pause in the middle of the vote keeps votes away; it does not stop those that are a quorum already.
    function test_PausedWithAnOpenRound() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        vm.prank(GUARDIAN);
        consensus.pause();
        bytes memory batch = signedVote(round, 2, ROOT);
        vm.expectRevert(abi.encodeWithSelector(Electorate.PauseState.selector, false, true));
        consensus.castBallots(round, batch);
        warpToReveal(round);
        reveal(round, ROOT);
        assertPhase(round, OepConsensus.Phase.Final);
    }

    // Nobody but the members of the round moves a tally: ether, unknown calls and other people's ballots are rejected.
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

    function relayOne(uint32 round, uint256 i) private {
        bytes memory batch = signedVote(round, i, ROOT);
        keep(round, i, consensus.ballotFor(round, operator(i), ROOT, PARTITIONS));
        consensus.castBallots(round, batch);
    }
}
