// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Abstaining on chain.
contract AbstentionsTest is Fixture {
    function test_AbstainsWithAReason() public {
        uint32 round = openWith(3);
        bytes32 hash = consensus.round(round).ballotsHash;
        vm.expectEmit(address(consensus));
        emit OepConsensus.Abstained(round, operator(2), OepConsensus.Reason.InputMismatch);
        abstain(round, 2, OepConsensus.Reason.InputMismatch);
        assertEq(consensus.round(round).voted, 4, "voted");
        assertEq(consensus.round(round).ballotsHash, hash, "ballots hash");
        assertEq(uint256(consensus.abstention(round, 2)), uint256(OepConsensus.Reason.InputMismatch), "reason");
        assertEq(uint256(consensus.abstention(round, 1)), uint256(OepConsensus.Reason.None), "no reason");
    }

    function test_EveryReason() public {
        uint32 round = openWith(5);
        for (uint8 i = 0; i < 5; ++i) {
            abstain(round, i, OepConsensus.Reason(i + 1));
            assertEq(uint256(consensus.abstention(round, i)), i + 1, "reason");
        }
    }

    function test_NeedsAReason() public {
        uint32 round = openWith(1);
        vm.expectRevert(abi.encodeWithSelector(Electorate.Missing.selector, "reason"));
        abstain(round, 0, OepConsensus.Reason.None);
        assertEq(consensus.round(round).voted, 0, "voted");
    }

    function test_FollowsTheRulesOfAVote() public {
        uint32 round = openWith(2);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, STRANGER, 2));
        vm.prank(STRANGER);
        consensus.abstain(round, OepConsensus.Reason.InputInvalid);
        abstain(round, 0, OepConsensus.Reason.InputInvalid);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.castBallot(round, bytes32(uint256(1)));
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.VotingClosed.selector, round, deadline, uint256(deadline)));
        abstain(round, 1, OepConsensus.Reason.InputInvalid);
    }

    function test_NothingToRevealWhenAllAbstain() public {
        uint32 round = openWith(2);
        abstain(round, 0, OepConsensus.Reason.InputsUnavailable);
        abstain(round, 1, OepConsensus.Reason.InputsUnavailable);
        assertPhase(round, OepConsensus.Phase.Revealing);
        bytes32 result = consensus.resultHash(ROOT, PARTITIONS);
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.NothingMatched.selector, round, result));
        reveal(round, ROOT);
        warpToExpiry(round);
        consensus.failRound(round);
        assertPhase(round, OepConsensus.Phase.Failed);
    }
}
