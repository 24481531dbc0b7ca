// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Bench} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Does what it likes with the contract, and keeps plain books of it beside. Every call is one that must succeed,
/// or one that is known to be refused and is checked to be.
contract Handler is Bench {
    uint256 private constant CHOICES = 3;

    struct Book {
        uint32 epoch;
        uint128 members;
        uint8 memberCount;
        uint8 quorum;
        uint40 voteDeadline;
        uint40 revealDeadline;
        uint128 voted;
        uint128[CHOICES] backers; // by choice of root
        bool[CHOICES] revealed;
        bytes32 closed; // the round's view when it ended, hashed
        bool isFinal;
        uint256 choice; // of the final root
    }

    mapping(uint32 => Book) internal books;
    uint256 public workers;
    bool public isPaused;

    constructor() {
        deploy();
        addWorkers(0, 5);
        workers = 5;
        openRound(0);
    }

    function contractUnderTest() external view returns (OepConsensus) {
        return consensus;
    }

    function book(uint32 round) external view returns (Book memory) {
        return books[round];
    }

    function rootOf(uint256 choice) public pure returns (bytes32) {
        return bytes32(choice + 1);
    }

    function openRound(uint8 horizon) public {
        if (isPaused || consensus.terms(consensus.currentEpoch()).memberCount == 0) return;
        uint32 round = open(HORIZON + horizon % 3);
        OepConsensus.RoundView memory view_ = consensus.round(round);
        Book storage kept = books[round];
        kept.epoch = view_.epoch;
        kept.members = view_.members;
        kept.memberCount = view_.memberCount;
        kept.quorum = view_.quorum;
        kept.voteDeadline = view_.voteDeadline;
        kept.revealDeadline = view_.revealDeadline;
    }

    // Somebody who ever was a signer, or never, votes or abstains in some round.
    function castVote(uint256 who, uint256 which, uint256 choice) public {
        uint32 round = pick(which);
        address account = signer(who % (workers + 1));
        Electorate.SeatView memory seat = consensus.seatOf(account);
        Book storage kept = books[round];
        uint128 bit = uint128(1) << seat.index;
        bool may = !isPaused && kept.closed == 0 && block.timestamp < kept.voteDeadline && seat.since <= kept.epoch
            && kept.epoch < seat.until && kept.voted & bit == 0;
        uint256 pickOf = choice % (CHOICES + 1);
        if (pickOf == CHOICES) {
            vm.prank(account);
            try consensus.abstain(round, OepConsensus.Reason.InputInvalid) {
                assertTrue(may, "an abstention that must not be");
            } catch {
                assertTrue(!may, "an abstention refused");
            }
        } else {
            bytes32 ballot = consensus.ballotFor(round, seat.operator, rootOf(pickOf), PARTITIONS);
            vm.prank(account);
            try consensus.castBallot(round, ballot) {
                assertTrue(may, "a vote that must not be");
                ballots[round] = bytes.concat(ballots[round], abi.encodePacked(seat.index, seat.operator, ballot));
                kept.backers[pickOf] |= bit;
            } catch {
                assertTrue(!may, "a vote refused");
            }
        }
        if (may) kept.voted |= bit;
    }

    // Many vote, most of them alike, as in a round that goes well.
    function castVotes(uint256 which, uint256 choices) public {
        for (uint256 i = 0; i < workers; ++i) {
            uint256 bits = choices >> (3 * i);
            castVote(i, which, bits & 7 < 6 ? 0 : bits);
        }
    }

    function revealSome(uint256 which, uint256 choice) public {
        uint32 round = pick(which);
        Book storage kept = books[round];
        choice %= CHOICES;
        uint256 count = ones(kept.backers[choice]);
        bool may = kept.closed == 0 && (block.timestamp >= kept.voteDeadline || kept.voted == kept.members)
            && block.timestamp < kept.revealDeadline && count != 0 && !kept.revealed[choice];
        try consensus.revealRoot(round, rootOf(choice), PARTITIONS, ballots[round]) {
            assertTrue(may, "a reveal that must not be");
            kept.revealed[choice] = true;
            if (count >= kept.quorum) {
                kept.isFinal = true;
                kept.choice = choice;
                kept.closed = snapshot(round);
            }
        } catch {
            assertTrue(!may, "a reveal refused");
        }
    }

    function fail(uint256 which) public {
        uint32 round = pick(which);
        bool may = books[round].closed == 0 && block.timestamp >= books[round].revealDeadline;
        try consensus.failRound(round) {
            assertTrue(may, "a failure that must not be");
            books[round].closed = snapshot(round);
        } catch {
            assertTrue(!may, "a failure refused");
        }
    }

    function cancel(uint256 which) public {
        if (which % 4 != 0) return; // seldom, or few rounds would live to be final
        uint32 round = pick(which);
        bool may = books[round].closed == 0 && block.timestamp < books[round].revealDeadline;
        vm.prank(REQUESTER);
        try consensus.cancelRound(round, "given up") {
            assertTrue(may, "a cancellation that must not be");
            books[round].closed = snapshot(round);
        } catch {
            assertTrue(!may, "a cancellation refused");
        }
    }

    function passTime(uint8 seconds_) public {
        vm.warp(block.timestamp + seconds_ % 80);
    }

    function addWorker(uint8 seldom) public {
        if (seldom % 4 != 0 || consensus.terms(consensus.currentEpoch()).memberCount == 9) return;
        addWorkers(workers, 1);
        ++workers;
    }

    function removeWorker(uint256 who, uint8 seldom) public {
        if (seldom % 4 != 0) return;
        address account = operator(who % workers);
        if (consensus.signerOf(account) == address(0)) return;
        vm.prank(ADMIN);
        consensus.removeWorker(account);
    }

    function rotateSigner(uint256 who) public {
        address account = operator(who % workers);
        if (consensus.signerOf(account) == address(0)) return;
        vm.prank(account);
        consensus.rotateSigner(signer(workers));
        ++workers; // the number is used up; its operator is nobody
    }

    function setPolicy(uint8 share, uint8 voteWindow, uint8 revealWindow) public {
        vm.prank(ADMIN);
        consensus.setPolicy(
            Electorate.Policy(share % 4, 3, uint32(voteWindow) % 100 + 1, uint32(revealWindow) % 100 + 1, 1)
        );
    }

    function togglePause(uint8 seldom) public {
        if (!isPaused && seldom % 4 != 0) return;
        vm.prank(isPaused ? ADMIN : GUARDIAN);
        if (isPaused) consensus.unpause();
        else consensus.pause();
        isPaused = !isPaused;
    }

    function ones(uint128 bitmap) public pure returns (uint256 count) {
        for (; bitmap != 0; bitmap &= bitmap - 1) {
            ++count;
        }
    }

    // The newest rounds mostly, so that some get enough votes.
    function pick(uint256 which) private view returns (uint32) {
        uint32 count = consensus.roundCount();
        return count - uint32(which % (count < 3 ? count : 3));
    }
}

/// @dev The guarantees at the head of OepConsensus, by their numbers, after any sequence of calls.
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

    function invariant_1_OneVoteEach() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            assertEq(consensus.round(round).voted, kept.voted, "voted");
            assertEq(kept.backers[0] & kept.backers[1], 0, "backs two");
            assertEq(kept.backers[0] & kept.backers[2], 0, "backs two");
            assertEq(kept.backers[1] & kept.backers[2], 0, "backs two");
        }
    }

    function invariant_2_OnlyAQuorumIsFinal() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            OepConsensus.RoundView memory view_ = consensus.round(round);
            assertTrue(2 * uint256(view_.quorum) > view_.memberCount, "strict majority");
            bool isFinal = view_.status == OepConsensus.Status.Final;
            assertTrue(isFinal == handler.book(round).isFinal, "final where the books say so");
            if (isFinal) assertTrue(handler.ones(view_.matched) >= view_.quorum, "quorum");
        }
    }

    function invariant_3_OneRootIsFinal() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            bytes32 expected = kept.isFinal ? handler.rootOf(kept.choice) : bytes32(0);
            assertEq(consensus.round(round).root, expected, "root");
        }
    }

    function invariant_4_ABallotCountsForItsResultOnly() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            Handler.Book memory kept = handler.book(round);
            if (kept.isFinal) assertEq(consensus.round(round).matched, kept.backers[kept.choice], "matched");
            for (uint256 choice = 0; choice < 3; ++choice) {
                bytes32 result = consensus.resultHash(handler.rootOf(choice), PARTITIONS);
                uint128 expected = kept.revealed[choice] ? kept.backers[choice] : 0;
                assertEq(consensus.candidate(round, result), expected, "candidate");
            }
        }
    }

    function invariant_5_WhatHasEndedDoesNotChange() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            bytes32 closed = handler.book(round).closed;
            if (closed != 0) assertEq(snapshot(round), closed, "ended round");
        }
    }

    function invariant_6_TheElectorateIsFrozen() public view {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            OepConsensus.RoundView memory view_ = consensus.round(round);
            Handler.Book memory kept = handler.book(round);
            assertEq(view_.members, kept.members, "members");
            assertEq(view_.quorum, kept.quorum, "quorum");
            assertEq(view_.voteDeadline, kept.voteDeadline, "vote deadline");
            assertEq(view_.revealDeadline, kept.revealDeadline, "reveal deadline");
            assertEq(view_.voted & ~view_.members, 0, "voters outside the electorate");
            Electorate.SeatView[] memory members = consensus.electorate(view_.epoch);
            uint128 bitmap;
            for (uint256 i = 0; i < members.length; ++i) {
                bitmap |= uint128(1) << members[i].index;
            }
            assertEq(bitmap, kept.members, "seats");
        }
    }

    // Paused or not, and whoever has left: an open round past its deadline can be closed by anyone.
    function invariant_8_NoRoundIsStranded() public {
        for (uint32 round = 1; round <= consensus.roundCount(); ++round) {
            if (handler.book(round).closed != 0) continue;
            uint256 now_ = block.timestamp;
            vm.warp(handler.book(round).revealDeadline > now_ ? handler.book(round).revealDeadline : now_);
            vm.prank(STRANGER);
            consensus.failRound(round);
            assertPhase(round, OepConsensus.Phase.Failed);
            vm.warp(now_);
        }
    }
}
