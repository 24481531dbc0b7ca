// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Ends of rounds: final, failed, cancelled; supersession; limits of a pause.
contract LifecycleTest is Fixture {
    function test_FinalIsFinal() public {
        uint32 round = finalRound(3, HORIZON);
        bytes32 before = snapshot(round);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Final));
        reveal(round, OTHER_ROOT);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Final));
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT, CUSTODY);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Final));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "too late");
        warpToExpiry(round);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Final));
        consensus.failRound(round);
        assertEq(snapshot(round), before, "round");
    }

    function test_FailsAfterTheRevealDeadline() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        abstain(round, 1, IOepConsensus.Reason.InputInvalid);
        uint40 deadline = consensus.round(round).revealDeadline;
        vm.warp(deadline - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IOepConsensus.RevealStillOpen.selector, round, deadline, uint256(deadline) - 1)
        );
        consensus.failRound(round);
        vm.warp(deadline);
        assertPhase(round, IOepConsensus.Phase.Expired);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundFailed(round, 4);
        vm.prank(STRANGER);
        consensus.failRound(round);
        assertPhase(round, IOepConsensus.Phase.Failed);
        assertEq(consensus.round(round).voted, 3, "voted");
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), 0, "latest");
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Failed));
        consensus.failRound(round);
    }

    function test_CancelsBeforeFinality() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundCancelled(round, REQUESTER, "wrong document");
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "wrong document");
        assertPhase(round, IOepConsensus.Phase.Cancelled);
        bytes32 before = snapshot(round);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Cancelled));
        vm.prank(signer(1));
        consensus.castBallot(round, ROOT, CUSTODY);
        warpToReveal(round);
        vm.expectRevert(wrongStatus(round, IOepConsensus.Status.Cancelled));
        reveal(round, ROOT);
        assertEq(snapshot(round), before, "round");
    }

    function test_CancellingHasItsLimits() public {
        uint32 round = openWith(3);
        bytes32 role = consensus.REQUESTER_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, role));
        vm.prank(ADMIN);
        consensus.cancelRound(round, "no requester");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "reason"));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.TextTooLong.selector, 200, 201));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, string(new bytes(201)));
        vm.expectRevert(wrongStatus(9, IOepConsensus.Status.None));
        vm.prank(REQUESTER);
        consensus.cancelRound(9, "no such round");
        uint40 deadline = consensus.round(round).voteDeadline;
        uint256 state = vm.snapshotState();
        vm.warp(deadline - 1);
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "in time");
        assertPhase(round, IOepConsensus.Phase.Cancelled);
        vm.revertToState(state);
        uint40[3] memory late =
            [deadline, consensus.round(round).revealDeadline - 1, consensus.round(round).revealDeadline];
        for (uint256 i = 0; i < late.length; ++i) {
            vm.warp(late[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(late[i]))
            );
            vm.prank(REQUESTER);
            consensus.cancelRound(round, "too late");
        }
        assertPhase(round, IOepConsensus.Phase.Expired);
    }

    // When the last member has voted or abstained, ballots can be counted: the requester has no veto any more.
    function test_NobodyCancelsOnceEverybodyHasVoted() public {
        uint32 round = openWith(2);
        vote(round, 0, ROOT);
        abstain(round, 1, IOepConsensus.Reason.InputInvalid);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.EverybodyVoted.selector, round));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "too late");
        assertPhase(round, IOepConsensus.Phase.Revealing);
    }

    function test_ALaterRoundSupersedes() public {
        uint32 first = finalRound(3, HORIZON);
        uint32 elsewhere = voted(HORIZON + 1, 3);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RootRevealed(elsewhere, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundFinalised(elsewhere, ROOT, PARTITIONS, 0);
        reveal(elsewhere, ROOT);
        uint32 second = voted(HORIZON, 3);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RootRevealed(second, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundFinalised(second, ROOT, PARTITIONS, first);
        reveal(second, ROOT);
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), second, "latest");
        assertEq(consensus.latestFinal(HORIZON + 1, INTERVALS), elsewhere, "latest elsewhere");
        assertEq(consensus.latestFinal(HORIZON, INTERVALS + 1), 0, "another length");
    }

    function test_AnEarlierRoundThatEndsLaterDoesNot() public {
        addWorkers(0, 3);
        uint32 first = voted(HORIZON, 3);
        uint32 second = voted(HORIZON, 3);
        reveal(second, ROOT);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RootRevealed(first, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundFinalised(first, ROOT, PARTITIONS, 0);
        reveal(first, ROOT);
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), second, "latest");
    }

    function test_APauseStopsOpeningAndVoting() public {
        uint32 round = openWith(3);
        pause();
        assertTrue(consensus.paused(), "paused");
        bytes memory isPaused = abi.encodeWithSelector(IOepConsensus.PauseState.selector, false, true);
        vm.expectRevert(isPaused);
        open();
        vm.expectRevert(isPaused);
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT, CUSTODY);
        vm.expectRevert(isPaused);
        abstain(round, 0, IOepConsensus.Reason.InternalFault);
        vm.expectRevert(isPaused);
        pause();
        vm.expectEmit(address(consensus));
        emit IOepConsensus.Unpaused(ADMIN);
        vm.prank(ADMIN);
        consensus.unpause();
        vote(round, 0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.PauseState.selector, true, false));
        vm.prank(ADMIN);
        consensus.unpause();
    }

    function test_APauseStrandsNoRound() public {
        addWorkers(0, 3);
        uint32 revealed = voted(HORIZON, 3);
        uint32 failed = open();
        uint32 cancelled = open();
        pause();
        reveal(revealed, ROOT);
        assertPhase(revealed, IOepConsensus.Phase.Final);
        vm.prank(REQUESTER);
        consensus.cancelRound(cancelled, "paused");
        assertPhase(cancelled, IOepConsensus.Phase.Cancelled);
        warpToExpiry(failed);
        consensus.failRound(failed);
        assertPhase(failed, IOepConsensus.Phase.Failed);
    }

    function test_MembershipChangesStrandNoRound() public {
        addWorkers(0, 3);
        uint32 round = voted(HORIZON, 3);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(ADMIN);
            consensus.removeWorker(operator(i));
        }
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 7, "matched");
    }

    function test_OnlyTheGuardianPausesAndOnlyTheAdminUnpauses() public {
        bytes32 guardian = consensus.GUARDIAN_ROLE();
        bytes32 admin = consensus.DEFAULT_ADMIN_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, guardian)
        );
        vm.prank(ADMIN);
        consensus.pause();
        vm.expectEmit(address(consensus));
        emit IOepConsensus.Paused(GUARDIAN);
        pause();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, GUARDIAN, admin)
        );
        vm.prank(GUARDIAN);
        consensus.unpause();
    }

    function pause() private {
        vm.prank(GUARDIAN);
        consensus.pause();
    }

    function voted(uint32 horizon, uint256 members) private returns (uint32 round) {
        round = open(horizon);
        for (uint256 i = 0; i < members; ++i) {
            vote(round, i, ROOT);
        }
    }

    function finalRound(uint256 members, uint32 horizon) private returns (uint32 round) {
        addWorkers(0, members);
        round = voted(horizon, members);
        reveal(round, ROOT);
    }

    function wrongStatus(uint32 round, IOepConsensus.Status received) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOepConsensus.WrongStatus.selector, round, IOepConsensus.Status.Open, received);
    }
}
