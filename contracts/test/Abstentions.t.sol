// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Abstaining on chain.
contract AbstentionsTest is Fixture {
    function test_AbstainsWithAReason() public {
        uint32 round = openWith(3);
        bytes32 hash = consensus.round(round).ballotsHash;
        vm.expectEmit(address(consensus));
        emit IOepConsensus.Abstained(round, operator(2), IOepConsensus.Reason.InputMismatch);
        abstain(round, 2, IOepConsensus.Reason.InputMismatch);
        assertEq(consensus.round(round).voted, 4, "voted");
        assertEq(consensus.round(round).ballotsHash, hash, "ballots hash");
        assertEq(uint256(abstention(round, 2)), uint256(IOepConsensus.Reason.InputMismatch), "reason");
        assertEq(uint256(abstention(round, 1)), uint256(IOepConsensus.Reason.None), "no reason");
    }

    function test_EveryReason() public {
        uint32 round = openWith(5);
        for (uint8 i = 0; i < 5; ++i) {
            abstain(round, i, IOepConsensus.Reason(i + 1));
            assertEq(uint256(abstention(round, i)), i + 1, "reason");
        }
    }

    function test_NeedsAReason() public {
        uint32 round = openWith(1);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "reason"));
        abstain(round, 0, IOepConsensus.Reason.None);
        assertEq(consensus.round(round).voted, 0, "voted");
    }

    // The decoder rejects a number that is no reason, without data.
    function test_TheReasonAfterTheLastIsNoReason() public {
        uint32 round = openWith(1);
        for (uint256 reason = 6; reason < 300; reason += 249) {
            bytes memory call_ = abi.encodeWithSelector(consensus.abstain.selector, round, reason);
            vm.prank(signer(0));
            (bool done, bytes memory data) = address(consensus).call(call_);
            assertTrue(!done, "abstained without a reason");
            assertEq(data, "", "data");
        }
        assertEq(consensus.round(round).voted, 0, "voted");
    }

    function test_FollowsTheRulesOfAVote() public {
        uint32 round = openWith(2);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, STRANGER, 2));
        vm.prank(STRANGER);
        consensus.abstain(round, IOepConsensus.Reason.InputInvalid);
        abstain(round, 0, IOepConsensus.Reason.InputInvalid);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.castBallot(round, ROOT, CUSTODY);
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(deadline)));
        abstain(round, 1, IOepConsensus.Reason.InputInvalid);
    }

    function test_NothingToRevealWhenAllAbstain() public {
        uint32 round = openWith(2);
        abstain(round, 0, IOepConsensus.Reason.InputsUnavailable);
        abstain(round, 1, IOepConsensus.Reason.InputsUnavailable);
        assertPhase(round, IOepConsensus.Phase.Revealing);
        bytes32 result = consensus.resultHash(ROOT, PARTITIONS);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingMatched.selector, round, result));
        reveal(round, ROOT);
        warpToExpiry(round);
        consensus.failRound(round);
        assertPhase(round, IOepConsensus.Phase.Failed);
    }
}
