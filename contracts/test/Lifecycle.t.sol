// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Ends of rounds: final, failed, cancelled; supersession; limits of a pause.
contract LifecycleTest is Fixture {
    function test_FinalIsFinal() public {
        uint32 round = finalRound(3, HORIZON);
        bytes32 before = snapshot(round);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Final));
        reveal(round, OTHER_ROOT);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Final));
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Final));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "too late");
        warpToExpiry(round);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Final));
        consensus.failRound(round);
        assertEq(snapshot(round), before, "round");
    }

    function test_FailsAfterTheRevealDeadline() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        abstain(round, 1, OepConsensus.Reason.InputInvalid);
        uint40 deadline = consensus.round(round).revealDeadline;
        vm.warp(deadline - 1);
        vm.expectRevert(
            abi.encodeWithSelector(OepConsensus.RevealStillOpen.selector, round, deadline, uint256(deadline) - 1)
        );
        consensus.failRound(round);
        vm.warp(deadline);
        assertPhase(round, OepConsensus.Phase.Expired);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RoundFailed(round, 4);
        vm.prank(STRANGER);
        consensus.failRound(round);
        assertPhase(round, OepConsensus.Phase.Failed);
        assertEq(consensus.round(round).voted, 3, "voted");
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), 0, "latest");
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Failed));
        consensus.failRound(round);
    }

    function test_CancelsBeforeFinality() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RoundCancelled(round, REQUESTER, "wrong document");
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "wrong document");
        assertPhase(round, OepConsensus.Phase.Cancelled);
        bytes32 before = snapshot(round);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Cancelled));
        vm.prank(signer(1));
        consensus.castBallot(round, ROOT);
        warpToReveal(round);
        vm.expectRevert(wrongStatus(round, OepConsensus.Status.Cancelled));
        reveal(round, ROOT);
        assertEq(snapshot(round), before, "round");
    }

    function test_CancellingHasItsLimits() public {
        uint32 round = openWith(3);
        bytes32 role = consensus.REQUESTER_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, role));
        vm.prank(ADMIN);
        consensus.cancelRound(round, "no requester");
        vm.expectRevert(abi.encodeWithSelector(Electorate.Missing.selector, "reason"));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "");
        vm.expectRevert(abi.encodeWithSelector(Electorate.TextTooLong.selector, 200, 201));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, string(new bytes(201)));
        vm.expectRevert(wrongStatus(9, OepConsensus.Status.None));
        vm.prank(REQUESTER);
        consensus.cancelRound(9, "no such round");
        uint40 deadline = consensus.round(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.RevealClosed.selector, round, deadline, uint256(deadline)));
        vm.prank(REQUESTER);
        consensus.cancelRound(round, "too late");
        assertPhase(round, OepConsensus.Phase.Expired);
    }

    function test_ALaterRoundSupersedes() public {
        uint32 first = finalRound(3, HORIZON);
        uint32 elsewhere = voted(HORIZON + 1, 3);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RootRevealed(elsewhere, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RoundFinalised(elsewhere, ROOT, PARTITIONS, 0);
        reveal(elsewhere, ROOT);
        uint32 second = voted(HORIZON, 3);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RootRevealed(second, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RoundFinalised(second, ROOT, PARTITIONS, first);
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
        emit OepConsensus.RootRevealed(first, ROOT, PARTITIONS, 7, 3, 2);
        vm.expectEmit(address(consensus));
        emit OepConsensus.RoundFinalised(first, ROOT, PARTITIONS, 0);
        reveal(first, ROOT);
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), second, "latest");
    }

    function test_APauseStopsOpeningAndVoting() public {
        uint32 round = openWith(3);
        pause();
        assertTrue(consensus.paused(), "paused");
        bytes memory isPaused = abi.encodeWithSelector(Electorate.PauseState.selector, false, true);
        vm.expectRevert(isPaused);
        open();
        vm.expectRevert(isPaused);
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT);
        vm.expectRevert(isPaused);
        abstain(round, 0, OepConsensus.Reason.InternalFault);
        vm.expectRevert(isPaused);
        pause();
        vm.expectEmit(address(consensus));
        emit Electorate.Unpaused(ADMIN);
        vm.prank(ADMIN);
        consensus.unpause();
        vote(round, 0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(Electorate.PauseState.selector, true, false));
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
        assertPhase(revealed, OepConsensus.Phase.Final);
        vm.prank(REQUESTER);
        consensus.cancelRound(cancelled, "paused");
        assertPhase(cancelled, OepConsensus.Phase.Cancelled);
        warpToExpiry(failed);
        consensus.failRound(failed);
        assertPhase(failed, OepConsensus.Phase.Failed);
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
        emit Electorate.Paused(GUARDIAN);
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

    function wrongStatus(uint32 round, OepConsensus.Status received) private pure returns (bytes memory) {
        return abi.encodeWithSelector(OepConsensus.WrongStatus.selector, round, OepConsensus.Status.Open, received);
    }
}
