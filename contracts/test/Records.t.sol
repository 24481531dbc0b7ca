// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Reading a past round without events.
contract RecordsTest is Fixture {
    function test_TheWholeOfARoundThatFailedAtFirstReveal() public {
        uint32 round = openWith(7);
        vote(round, 6, OTHER_ROOT);
        vote(round, 0, OTHER_ROOT);
        abstain(round, 5, OepConsensus.Reason.InputMismatch);
        abstain(round, 1, OepConsensus.Reason.InternalFault);
        vote(round, 2, ROOT);
        vote(round, 3, bytes32(uint256(1)));
        warpToReveal(round);
        reveal(round, OTHER_ROOT);
        reveal(round, ROOT);
        warpToExpiry(round);
        consensus.failRound(round);

        OepConsensus.RoundView memory view_ = consensus.round(round);
        assertEq(uint256(view_.status), uint256(OepConsensus.Status.Failed), "status");
        assertEq(view_.members & ~view_.voted, 16, "silent");
        OepConsensus.AbstentionView[] memory abstentions = consensus.abstentions(round);
        assertEq(abstentions.length, 2, "abstentions");
        assertEq(abstentions[0].index, 1, "index");
        assertEq(uint256(abstentions[0].reason), uint256(OepConsensus.Reason.InternalFault), "reason");
        assertEq(abstentions[1].index, 5, "index");
        assertEq(uint256(abstentions[1].reason), uint256(OepConsensus.Reason.InputMismatch), "reason");
        OepConsensus.CandidateView[] memory candidates = consensus.candidates(round);
        assertEq(candidates.length, 2, "candidates");
        assertCandidate(candidates[0], OTHER_ROOT, 65);
        assertCandidate(candidates[1], ROOT, 4);
        assertEq(consensus.equivocators(round), 0, "equivocators");
    }

    function test_AFinalResultIsTheLastCandidate() public {
        uint32 round = openWith(5);
        vote(round, 0, OTHER_ROOT);
        for (uint256 i = 1; i < 5; ++i) {
            vote(round, i, ROOT);
        }
        assertEq(consensus.candidates(round).length, 0, "none yet");
        reveal(round, OTHER_ROOT);
        reveal(round, ROOT);
        OepConsensus.CandidateView[] memory candidates = consensus.candidates(round);
        assertEq(candidates.length, 2, "candidates");
        assertCandidate(candidates[0], OTHER_ROOT, 1);
        assertCandidate(candidates[1], ROOT, 30);
        assertEq(consensus.abstentions(round).length, 0, "abstentions");
    }

    function test_AbstentionsAtTheEndsOfAFullElectorate() public {
        uint32 round = openWith(128);
        abstain(round, 127, OepConsensus.Reason.RulesUnknown);
        abstain(round, 0, OepConsensus.Reason.InputsUnavailable);
        OepConsensus.AbstentionView[] memory abstentions = consensus.abstentions(round);
        assertEq(abstentions.length, 2, "abstentions");
        assertEq(abstentions[0].index, 0, "first");
        assertEq(abstentions[1].index, 127, "last");
        assertEq(consensus.round(round).voted, 1 | (1 << 127), "voted");
    }

    // Old rounds read as they were, whatever the electorate is now.
    function test_AYearLater() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        abstain(round, 2, OepConsensus.Reason.InternalFault);
        reveal(round, ROOT);
        bytes32 before = snapshot(round);
        uint256 electorate = consensus.electorate(consensus.round(round).epoch).length;
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(ADMIN);
            consensus.removeWorker(operator(i));
        }
        addWorkers(20, 128);
        vm.warp(vm.getBlockTimestamp() + 365 days);
        open();
        assertEq(snapshot(round), before, "round");
        assertEq(consensus.candidates(round).length, 1, "candidates");
        assertEq(consensus.abstentions(round)[0].index, 2, "abstention");
        assertEq(consensus.electorate(consensus.round(round).epoch).length, electorate, "electorate");
        assertEq(consensus.electorate(consensus.round(round).epoch)[2].signer, signer(2), "signer");
    }

    function test_OfNoRound() public {
        openWith(1);
        uint32[2] memory unknown = [uint32(0), 2];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory error_ = abi.encodeWithSelector(OepConsensus.UnknownRound.selector, 1, unknown[i]);
            vm.expectRevert(error_);
            consensus.abstentions(unknown[i]);
            vm.expectRevert(error_);
            consensus.candidates(unknown[i]);
            vm.expectRevert(error_);
            consensus.equivocators(unknown[i]);
        }
    }

    function assertCandidate(OepConsensus.CandidateView memory candidate, bytes32 root, uint128 matched) private pure {
        assertEq(candidate.root, root, "root");
        assertEq(candidate.partitions, PARTITIONS, "partitions");
        assertEq(candidate.matched, matched, "matched");
    }
}
