// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Opening a round, and the terms that it freezes.
contract OpeningTest is Fixture {
    function test_OpensWithTheTermsOfTheEpoch() public {
        addWorkers(0, 5);
        uint40 start = uint40(block.timestamp);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundOpened(
            1,
            2,
            REQUESTER,
            HORIZON,
            INTERVALS,
            ENVELOPE,
            REGISTRY,
            1,
            start + VOTE_WINDOW,
            start + VOTE_WINDOW + REVEAL_WINDOW
        );
        uint32 number = open();
        assertEq(number, 1, "number");
        assertEq(consensus.roundCount(), 1, "count");
        IOepConsensus.RoundView memory round = consensus.round(1);
        assertEq(uint256(round.status), uint256(IOepConsensus.Status.Open), "status");
        assertEq(uint256(round.phase), uint256(IOepConsensus.Phase.Voting), "phase");
        assertEq(round.epoch, 2, "epoch");
        assertEq(round.horizonStart, HORIZON, "horizon");
        assertEq(round.horizonIntervals, INTERVALS, "intervals");
        assertEq(round.rulesVersion, 1, "rules");
        assertEq(round.openedAt, start, "opened");
        assertEq(round.voteDeadline, start + VOTE_WINDOW, "vote deadline");
        assertEq(round.revealDeadline, start + VOTE_WINDOW + REVEAL_WINDOW, "reveal deadline");
        assertEq(round.memberCount, 5, "members");
        assertEq(round.members, 31, "members");
        assertEq(round.quorum, 4, "quorum");
        assertEq(round.voted, 0, "voted");
        assertEq(round.ballotsHash, keccak256(abi.encode(block.chainid, address(consensus), uint64(1))), "ballots hash");
        assertEq(round.root, 0, "root");
        assertEq(round.partitions, 0, "partitions");
        assertEq(round.matched, 0, "matched");
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), 0, "latest");
    }

    function test_LaterChangesLeaveItAlone() public {
        uint32 number = openWith(5);
        bytes32 before = snapshot(number);
        addWorkers(5, 2);
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(1, 1, 5, 5, 2));
        assertEq(snapshot(number), before, "round");
        uint32 next = open();
        assertEq(consensus.round(next).epoch, 6, "epoch of the next");
        assertEq(consensus.round(next).quorum, 6, "quorum of the next");
        assertEq(consensus.round(next).rulesVersion, 2, "rules of the next");
    }

    function test_RejectsBadRequests() public {
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.EmptyElectorate.selector, 1));
        open();
        addWorkers(0, 1);
        bytes32 role = consensus.REQUESTER_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, ADMIN, role));
        vm.prank(ADMIN);
        consensus.openRound(HORIZON, INTERVALS, ENVELOPE, REGISTRY);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.EmptyHorizon.selector));
        vm.prank(REQUESTER);
        consensus.openRound(HORIZON, 0, ENVELOPE, REGISTRY);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "envelopeDigest"));
        vm.prank(REQUESTER);
        consensus.openRound(HORIZON, INTERVALS, 0, REGISTRY);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "registryDigest"));
        vm.prank(REQUESTER);
        consensus.openRound(HORIZON, INTERVALS, ENVELOPE, 0);
        assertEq(consensus.roundCount(), 0, "count");
    }

    function test_UnknownRounds() public {
        openWith(1);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.UnknownRound.selector, 1, 0));
        consensus.round(0);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.UnknownRound.selector, 1, 2));
        consensus.round(2);
    }

    /// forge-config: default.isolate = true
    function test_GasOfOpening() public {
        openWith(21);
        open(HORIZON + 6);
        assertTrue(vm.lastCallGas().gasTotalUsed <= 120_000, "opening costs more than 120k gas");
    }
}
