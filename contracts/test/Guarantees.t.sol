// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Bench} from "./support/Fixture.sol";
import {Handler} from "./support/Handler.sol";
import {vm} from "./support/Vm.sol";

/// @dev The guarantees at the head of OepConsensus, by their numbers, after any sequence of calls. With one seed every
/// campaign makes the same calls; scripts/check-contracts gives each guarantee a seed of its own, and at the end of each
/// sequence all of them are checked.
contract GuaranteesTest is Bench {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
        consensus = handler.contractUnderTest();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function afterInvariant() public {
        this.allButTheCost();
        invariant_G7_EveryVoteCostsTheSame();
    }

    // An external call, so that its memory is released.
    function allButTheCost() external {
        invariant_G1_OneVoteEach();
        invariant_G2_OnlyAQuorumIsFinal();
        invariant_G3_OneRootIsFinal();
        invariant_G4_ABallotCountsOnceAndForItsResultOnly();
        invariant_G5_WhatHasEndedDoesNotChange();
        invariant_G6_TheElectorateIsFrozen();
        invariant_G9_APauseStopsOpeningAndVoting();
        invariant_G10_ACopiedBallotIsWorthNothing();
        invariant_G11_ARelayOnlyCarries();
        invariant_G12_EquivocationIsOnRecordOnce();
        invariant_G8_NoRoundIsStranded();
        invariant_G13_ThereIsAnAdministrator();
    }

    function invariant_G1_OneVoteEach() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            uint128 seen = kept.abstained;
            assertEq(seen & kept.copied, 0, "two votes");
            seen |= kept.copied;
            for (uint256 choice = 0; choice < 3; ++choice) {
                assertEq(seen & kept.backers[choice], 0, "two votes");
                seen |= kept.backers[choice];
            }
            assertEq(consensus.round(round).voted, seen, "voted");
            uint128 abstained;
            IOepConsensus.AbstentionView[] memory abstentions = consensus.record(round).abstentions;
            for (uint256 i = 0; i < abstentions.length; ++i) {
                abstained |= uint128(1) << abstentions[i].index;
            }
            assertEq(abstained, kept.abstained, "abstained");
        }
    }

    function invariant_G2_OnlyAQuorumIsFinal() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            IOepConsensus.RoundView memory view_ = consensus.round(round);
            assertTrue(2 * uint256(view_.quorum) > view_.memberCount, "strict majority");
            bool isFinal = view_.status == IOepConsensus.Status.Final;
            assertTrue(isFinal == handler.book(round).isFinal, "final where the books say so");
            if (isFinal) assertTrue(handler.ones(view_.matched) >= view_.quorum, "quorum");
            else assertEq(view_.root, 0, "root");
        }
    }

    function invariant_G3_OneRootIsFinal() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            bytes32 expected = kept.isFinal ? handler.rootOf(kept.choice) : bytes32(0);
            assertEq(consensus.round(round).root, expected, "root");
            IOepConsensus.CandidateView[] memory list = consensus.record(round).candidates;
            uint256 withQuorum;
            for (uint256 i = 0; i < list.length; ++i) {
                if (handler.ones(list[i].matched) >= kept.quorum) ++withQuorum;
            }
            assertEq(withQuorum, kept.isFinal ? 1 : 0, "results with a quorum");
        }
    }

    function invariant_G4_ABallotCountsOnceAndForItsResultOnly() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            if (kept.isFinal) assertEq(consensus.round(round).matched, kept.backers[kept.choice], "matched");
            for (uint256 choice = 0; choice < 3; ++choice) {
                bytes32 result = consensus.resultHash(handler.rootOf(choice), PARTITIONS);
                uint128 expected = handler.isRevealed(round, choice) ? kept.backers[choice] : 0;
                assertEq(candidate(round, result), expected, "candidate");
            }
            IOepConsensus.CandidateView[] memory list = consensus.record(round).candidates;
            assertEq(list.length, kept.revealed.length, "candidates");
            for (uint256 i = 0; i < list.length; ++i) {
                assertEq(list[i].root, handler.rootOf(kept.revealed[i]), "candidate's root");
                assertEq(list[i].partitions, PARTITIONS, "candidate's partitions");
                assertEq(list[i].matched, kept.backers[kept.revealed[i]], "candidate's backers");
            }
        }
    }

    function invariant_G5_WhatHasEndedDoesNotChange() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            bytes32 closed = handler.book(round).closed;
            if (closed != 0) assertEq(handler.record(round), closed, "ended round");
        }
    }

    function invariant_G6_TheElectorateIsFrozen() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            IOepConsensus.RoundView memory view_ = consensus.round(round);
            Handler.Book memory kept = handler.book(round);
            assertEq(view_.epoch, kept.epoch, "epoch");
            assertEq(view_.members, kept.members, "members");
            assertEq(view_.memberCount, kept.memberCount, "member count");
            assertEq(view_.quorum, kept.quorum, "quorum");
            assertEq(view_.voteDeadline, kept.voteDeadline, "vote deadline");
            assertEq(view_.revealDeadline, kept.revealDeadline, "reveal deadline");
            assertEq(view_.voted & ~view_.members, 0, "voters outside the electorate");
            IOepConsensus.SeatView[] memory members = consensus.electorate(view_.epoch);
            uint128 bitmap;
            for (uint256 i = 0; i < members.length; ++i) {
                bitmap |= uint128(1) << members[i].index;
            }
            assertEq(bitmap, kept.members, "seats");
        }
    }

    function invariant_G7_EveryVoteCostsTheSame() public view {
        (Handler.Cost memory ballot, Handler.Cost memory abstention) = handler.costs();
        assertTrue(ballot.most - ballot.least < 200, "ballots differ in price");
        assertTrue(abstention.most - abstention.least < 200, "abstentions differ in price");
    }

    // Paused or not, and whichever members have left: anyone can close an open round past its deadline. The handler
    // checks at each reveal that it is not rejected.
    function invariant_G8_NoRoundIsStranded() public {
        uint256 now_ = vm.getBlockTimestamp();
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            if (handler.book(round).closed != 0) continue;
            uint40 deadline = handler.book(round).revealDeadline;
            vm.warp(deadline > now_ ? deadline : now_);
            vm.prank(STRANGER);
            consensus.failRound(round);
            assertPhase(round, IOepConsensus.Phase.Failed);
            vm.warp(now_);
        }
    }

    // The handler checks that pausing changes no record.
    function invariant_G9_APauseStopsOpeningAndVoting() public view {
        assertTrue(consensus.paused() == handler.isPaused(), "paused");
        if (handler.isPaused()) assertEq(handler.stoppable(), handler.whenPaused(), "rounds and votes");
    }

    function invariant_G10_ACopiedBallotIsWorthNothing() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            IOepConsensus.CandidateView[] memory list = consensus.record(round).candidates;
            for (uint256 i = 0; i < list.length; ++i) {
                assertEq(list[i].matched & kept.copied, 0, "copies counted");
            }
        }
    }

    // The handler checks that each batch is cast completely or not at all; here, that the cast ballots are the signed
    // ones, in the order of the batch.
    function invariant_G11_ARelayOnlyCarries() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            if (handler.book(round).isFinal) continue;
            assertEq(consensus.round(round).ballotsHash, handler.ballotsHash(round), "ballots hash");
        }
    }

    function invariant_G12_EquivocationIsOnRecordOnce() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            assertEq(consensus.record(round).equivocators, handler.book(round).equivocated, "equivocators");
            assertEq(
                consensus.record(round).equivocators & ~consensus.round(round).members, 0, "outside the electorate"
            );
        }
    }

    // And it can do what only an administrator can.
    function invariant_G13_ThereIsAnAdministrator() public {
        bytes32 role = consensus.DEFAULT_ADMIN_ROLE();
        address[5] memory accounts = [ADMIN, address(0x5cc), address(0), GUARDIAN, address(consensus)];
        for (uint256 i = 0; i < accounts.length; ++i) {
            bool expected = handler.isAdministrator(accounts[i]);
            assertTrue(consensus.hasRole(role, accounts[i]) == expected, "administrators");
        }
        address administrator = handler.administrator();
        assertTrue(consensus.hasRole(role, administrator), "an administrator");
        bool isPaused = consensus.paused();
        vm.prank(administrator);
        if (isPaused) consensus.unpause();
        else consensus.setPolicy(policy());
    }

    // A campaign in which nothing happens finds nothing. The cost of votes cannot be measured here: within one
    // transaction, as a test is, slots that were accessed before are cheap.
    function test_TheCampaignGetsEverywhere() public {
        uint256 seed = 1;
        for (uint256 i = 0; i < 1500; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            step(seed % 18, seed >> 8);
            if (i % 100 != 0) continue;
            uint256 state = vm.snapshotState();
            this.allButTheCost();
            vm.revertToState(state);
        }
        Handler.Happened memory log = handler.log();
        assertTrue(log.direct > 50 && log.relayed > 50 && log.passedOver > 5 && log.batchesRejected > 10, "ballots");
        assertTrue(log.copies > 5 && log.abstentions > 5 && log.equivocations > 5, "misdeeds");
        assertTrue(log.lateEvidence > 0, "late evidence");
        assertTrue(log.relayedAbstentions > 5, "relayed abstentions");
        assertTrue(log.finals > 3 && log.candidates > 3, "revealed results");
        assertTrue(log.failures > 3, "failures");
        assertTrue(log.cancellations > 1, "cancellations");
        assertTrue(log.pauses > 1 && log.rotations > 5 && log.removals > 1 && log.comebacks > 1, "changes");
        assertTrue(log.reused > 5, "signers that came back");
        assertTrue(log.handovers > 1 && log.lastAdministrators > 1, "offices");
    }

    function step(uint256 action, uint256 bits) private {
        uint8 small = uint8(bits);
        uint256 which = bits >> 8 & 0xffff;
        if (action == 0) handler.openRound(small);
        else if (action == 1) handler.castVote(bits >> 24, which, bits >> 40);
        else if (action == 2) handler.castVotes(which, bits >> 40);
        else if (action == 3) handler.relay(which, bits >> 40, bits >> 80, small);
        else if (action == 4) handler.reveal(which, 0, small);
        else if (action == 5) handler.reveal(which, bits >> 40, small);
        else if (action == 6) handler.fail(which);
        else if (action == 7) handler.cancel(which, small);
        else if (action == 8) handler.report(which, bits >> 40, small, uint8(bits >> 60), bits >> 70);
        else if (action == 9) handler.passTime(small);
        else if (action == 10) handler.passTimeToAnEdge(which, small);
        else if (action == 11) handler.addWorker(small);
        else if (action == 12) handler.removeWorker(bits >> 40, small);
        else if (action == 13) handler.rotateSigner(bits >> 40, small);
        else if (action == 14) handler.togglePause(small);
        else if (action == 15) handler.setPolicy(small, uint8(bits >> 40), uint8(bits >> 50));
        else if (action == 16) handler.playRound(bits >> 40, bits >> 80, small);
        else handler.castVote(bits >> 24, 0, 4 << 8 | 1); // abstains in the newest round
        if (action == 9) handler.handOver(small, uint8(bits >> 40));
    }
}
