// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Reading a past round without events.
contract RecordsTest is Fixture {
    function test_TheWholeOfARoundThatFailedAtFirstReveal() public {
        uint32 round = openWith(7);
        vote(round, 6, OTHER_ROOT);
        vote(round, 0, OTHER_ROOT);
        abstain(round, 5, IOepConsensus.Reason.InputMismatch);
        abstain(round, 1, IOepConsensus.Reason.InternalFault);
        vote(round, 2, ROOT);
        vote(round, 3, bytes32(uint256(0xbb)));
        warpToReveal(round);
        reveal(round, OTHER_ROOT);
        reveal(round, ROOT);
        warpToExpiry(round);
        consensus.failRound(round);

        IOepConsensus.RoundView memory view_ = consensus.round(round);
        assertEq(uint256(view_.status), uint256(IOepConsensus.Status.Failed), "status");
        assertEq(view_.members & ~view_.voted, 16, "silent");
        IOepConsensus.AbstentionView[] memory abstentions = consensus.record(round).abstentions;
        assertEq(abstentions.length, 2, "abstentions");
        assertEq(abstentions[0].index, 1, "index");
        assertEq(uint256(abstentions[0].reason), uint256(IOepConsensus.Reason.InternalFault), "reason");
        assertEq(abstentions[1].index, 5, "index");
        assertEq(uint256(abstentions[1].reason), uint256(IOepConsensus.Reason.InputMismatch), "reason");
        IOepConsensus.CandidateView[] memory candidates = consensus.record(round).candidates;
        assertEq(candidates.length, 2, "candidates");
        assertCandidate(candidates[0], OTHER_ROOT, 65);
        assertCandidate(candidates[1], ROOT, 4);
        assertEq(consensus.record(round).equivocators, 0, "equivocators");
    }

    function test_AFinalResultIsTheLastCandidate() public {
        uint32 round = openWith(5);
        vote(round, 0, OTHER_ROOT);
        for (uint256 i = 1; i < 5; ++i) {
            vote(round, i, ROOT);
        }
        assertEq(consensus.record(round).candidates.length, 0, "none yet");
        reveal(round, OTHER_ROOT);
        reveal(round, ROOT);
        IOepConsensus.CandidateView[] memory candidates = consensus.record(round).candidates;
        assertEq(candidates.length, 2, "candidates");
        assertCandidate(candidates[0], OTHER_ROOT, 1);
        assertCandidate(candidates[1], ROOT, 30);
        assertEq(consensus.record(round).abstentions.length, 0, "abstentions");
    }

    function test_AbstentionsAtTheEndsOfAFullElectorate() public {
        uint32 round = openWith(128);
        abstain(round, 127, IOepConsensus.Reason.RulesUnknown);
        abstain(round, 0, IOepConsensus.Reason.InputsUnavailable);
        IOepConsensus.AbstentionView[] memory abstentions = consensus.record(round).abstentions;
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
        abstain(round, 2, IOepConsensus.Reason.InternalFault);
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
        assertEq(consensus.record(round).candidates.length, 1, "candidates");
        assertEq(consensus.record(round).abstentions[0].index, 2, "abstention");
        assertEq(consensus.electorate(consensus.round(round).epoch).length, electorate, "electorate");
        assertEq(consensus.electorate(consensus.round(round).epoch)[2].signer, signer(2), "signer");
    }

    function test_HoldsTheRoundItsTermsAndItsBlock() public {
        addWorkers(0, 3);
        vm.roll(1_234_567);
        uint32 round = open();
        vm.roll(1_234_999);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(1, 1, 7, 9, 2));
        abstain(round, 1, IOepConsensus.Reason.InputInvalid);
        consensus.reportEquivocation(round, bytes.concat(signed(round, 2, ROOT), signed(round, 2, OTHER_ROOT)));
        IOepConsensus.RecordView memory record = consensus.record(round);
        assertEq(keccak256(abi.encode(record.round)), keccak256(abi.encode(consensus.round(round))), "round");
        assertEq(keccak256(abi.encode(record.terms)), keccak256(abi.encode(consensus.terms(2))), "terms");
        assertEq(record.round.openedInBlock, 1_234_567, "block");
        assertEq(record.round.openedAt, block.timestamp, "opened");
        assertEq(record.abstentions[0].index, 1, "abstention");
        assertEq(record.equivocators, 4, "equivocators");
        assertEq(record.candidates.length, 0, "candidates");
    }

    // The time of opening follows from the terms of the round's own epoch.
    function testFuzz_TheTimeOfOpening(uint32 voteWindow, uint32 later) public {
        voteWindow = voteWindow % uint32(7 days) + 1;
        addWorkers(0, 1);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(2, 3, voteWindow, REVEAL_WINDOW, 1));
        vm.warp(1_900_000_000 + uint256(later));
        uint32 round = open();
        uint256 opened = vm.getBlockTimestamp();
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(2, 3, voteWindow % 1000 + 1, REVEAL_WINDOW, 1));
        vm.warp(opened + later);
        assertEq(consensus.round(round).openedAt, opened, "opened");
        assertEq(consensus.round(round).voteDeadline, opened + voteWindow, "deadline");
    }

    function test_OfNoRound() public {
        openWith(1);
        uint32[2] memory unknown = [uint32(0), 2];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory error_ = abi.encodeWithSelector(IOepConsensus.UnknownRound.selector, 1, unknown[i]);
            vm.expectRevert(error_);
            consensus.record(unknown[i]);
            vm.expectRevert(error_);
            consensus.round(unknown[i]);
        }
    }

    function assertCandidate(IOepConsensus.CandidateView memory candidate, bytes32 root, uint128 matched) private pure {
        assertEq(candidate.root, root, "root");
        assertEq(candidate.partitions, PARTITIONS, "partitions");
        assertEq(candidate.matched, matched, "matched");
    }
}
