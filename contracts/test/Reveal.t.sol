// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Revealing a result: when, with which ballots, and how they are counted.
contract RevealTest is Fixture {
    function test_AQuorumIsFinal() public {
        uint32 round = openWith(5);
        for (uint256 i = 0; i < 4; ++i) {
            vote(round, i, ROOT);
        }
        vote(round, 4, OTHER_ROOT);
        assertPhase(round, IOepConsensus.Phase.Revealing);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RootRevealed(round, ROOT, PARTITIONS, 15, 4, 4);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RoundFinalised(round, ROOT, PARTITIONS, 0);
        reveal(round, ROOT);
        IOepConsensus.RoundView memory view_ = consensus.round(round);
        assertEq(uint256(view_.phase), uint256(IOepConsensus.Phase.Final), "phase");
        assertEq(view_.root, ROOT, "root");
        assertEq(view_.partitions, PARTITIONS, "partitions");
        assertEq(view_.matched, 15, "matched");
        assertEq(view_.voted, 31, "voted");
        assertEq(view_.ballotsHash, 0, "ballots hash");
        assertEq(candidate(round, consensus.resultHash(ROOT, PARTITIONS)), 15, "candidate");
        assertEq(candidate(round, consensus.resultHash(OTHER_ROOT, PARTITIONS)), 0, "other candidate");
        assertEq(consensus.latestFinal(HORIZON, INTERVALS), round, "latest");
    }

    function test_NotWhileMembersMayVote() public {
        uint32 round = openWith(5);
        for (uint256 i = 0; i < 4; ++i) {
            vote(round, i, ROOT);
        }
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.expectRevert(
            abi.encodeWithSelector(IOepConsensus.VotingStillOpen.selector, round, deadline, block.timestamp, 16)
        );
        reveal(round, ROOT);
        vm.warp(deadline - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IOepConsensus.VotingStillOpen.selector, round, deadline, uint256(deadline) - 1, 16)
        );
        reveal(round, ROOT);
        vm.warp(deadline);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    function test_UntilTheRevealDeadline() public {
        uint32 round = openWith(2);
        vote(round, 0, ROOT);
        vote(round, 1, ROOT);
        uint40 deadline = consensus.round(round).revealDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.RevealClosed.selector, round, deadline, uint256(deadline)));
        reveal(round, ROOT);
        vm.warp(deadline - 1);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    function test_EarlyWhenTheRestAbstained() public {
        uint32 round = openWith(3);
        vote(round, 2, ROOT);
        abstain(round, 0, IOepConsensus.Reason.InternalFault);
        assertPhase(round, IOepConsensus.Phase.Voting);
        vote(round, 1, ROOT);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 6, "matched");
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    function test_BelowQuorumItIsACandidate() public {
        uint32 round = openWith(5);
        vote(round, 0, OTHER_ROOT);
        for (uint256 i = 1; i < 5; ++i) {
            vote(round, i, ROOT);
        }
        bytes32 hash = consensus.round(round).ballotsHash;
        vm.expectEmit(address(consensus));
        emit IOepConsensus.RootRevealed(round, OTHER_ROOT, PARTITIONS, 1, 1, 4);
        reveal(round, OTHER_ROOT);
        bytes32 result = consensus.resultHash(OTHER_ROOT, PARTITIONS);
        assertEq(candidate(round, result), 1, "candidate");
        assertEq(consensus.round(round).ballotsHash, hash, "ballots hash");
        assertEq(consensus.round(round).root, 0, "root");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyRevealed.selector, round, result, 1));
        reveal(round, OTHER_ROOT);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 30, "matched");
        assertEq(candidate(round, result), 1, "candidate after finality");
    }

    function test_ThePartitionCountIsPartOfTheResult() public {
        uint32 round = openWith(1);
        vote(round, 0, ROOT);
        bytes memory packed = ballots[round];
        bytes32 result = consensus.resultHash(ROOT, PARTITIONS + 1);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingMatched.selector, round, result));
        consensus.revealRoot(round, ROOT, PARTITIONS + 1, packed);
        assertPhase(round, IOepConsensus.Phase.Revealing);
    }

    function test_ACopiedBallotDoesNotCount() public {
        uint32 round = openWith(3);
        bytes32 ballot = consensus.ballotFor(round, indexOf(0), ROOT, PARTITIONS);
        castAs(round, signer(0), ballot);
        castAs(round, signer(1), ballot);
        vote(round, 2, ROOT);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 5, "matched");
    }

    function test_ABallotOfAnotherRoundChainOrContractDoesNotCount() public {
        addWorkers(0, 3);
        uint32 earlier = open();
        uint32 round = open();
        castAs(round, signer(0), consensus.ballotFor(earlier, indexOf(0), ROOT, PARTITIONS));
        bytes32 result = consensus.resultHash(ROOT, PARTITIONS);
        castAs(round, signer(1), keccak256(abi.encode(block.chainid, address(this), round, uint8(1), result)));
        castAs(round, signer(2), keccak256(abi.encode(block.chainid + 1, consensus, round, uint8(2), result)));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingMatched.selector, round, result));
        reveal(round, ROOT);
    }

    function test_NeedsAllBallotsInOrder() public {
        uint32 round = openWith(3);
        for (uint256 i = 0; i < 3; ++i) {
            vote(round, i, ROOT);
        }
        bytes memory all = ballots[round];
        bytes32 expected = consensus.round(round).ballotsHash;

        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 33, 98));
        consensus.revealRoot(round, ROOT, PARTITIONS, slice(all, 0, 98));

        rejectsBallots(round, expected, slice(all, 0, 66));
        rejectsBallots(round, expected, slice(all, 33, 99));
        rejectsBallots(round, expected, bytes.concat(slice(all, 33, 66), slice(all, 0, 33), slice(all, 66, 99)));
        rejectsBallots(round, expected, bytes.concat(all, slice(all, 0, 33)));
        rejectsBallots(round, expected, "");
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
    }

    // More entries than possible members are simply not the ballots that were cast.
    function test_MadeUpBallotsByTheHundredAreRejected() public {
        uint32 round = openWith(3);
        vote(round, 0, ROOT);
        warpToReveal(round);
        bytes memory one = ballots[round];
        bytes memory many;
        bytes32 hash = consensus.round(round).ballotsHash;
        bytes32 received = keccak256(abi.encode(block.chainid, address(consensus), round));
        for (uint256 i = 0; i < 300; ++i) {
            many = bytes.concat(many, one);
            received = keccak256(bytes.concat(received, one));
        }
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.BallotsMismatch.selector, hash, received));
        consensus.revealRoot(round, ROOT, PARTITIONS, many);
    }

    function testFuzz_AnyOtherByteIsRejected(uint8 place, uint8 flip) public {
        vm.assume(flip != 0);
        uint32 round = openWith(3);
        for (uint256 i = 0; i < 3; ++i) {
            vote(round, i, ROOT);
        }
        bytes memory changed = ballots[round];
        uint256 position = uint256(place) % changed.length;
        changed[position] = bytes1(uint8(changed[position]) ^ flip);
        rejectsBallots(round, consensus.round(round).ballotsHash, changed);
        assertPhase(round, IOepConsensus.Phase.Revealing);
    }

    // Counts any split of the votes, in any order, and compares with a plain count.
    function testFuzz_Tally(uint8 members, uint256 choices, uint256 shuffle) public {
        uint256 n = uint256(members) % 20 + 1;
        uint32 round = openWith(n);
        uint128 expected;
        uint8 count;
        uint256 first = shuffle % n;
        for (uint256 k = 0; k < n; ++k) {
            uint256 i = (first + k) % n;
            uint256 choice = (choices >> (2 * i)) & 3;
            if (choice == 0) {
                abstain(round, i, IOepConsensus.Reason.InputInvalid);
            } else if (choice == 1) {
                vote(round, i, OTHER_ROOT);
            } else if (choice == 2) {
                vote(round, i, ROOT);
                expected |= uint128(1) << uint128(i);
                ++count;
            }
        }
        warpToReveal(round);
        bytes32 result = consensus.resultHash(ROOT, PARTITIONS);
        if (count == 0) {
            vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NothingMatched.selector, round, result));
        }
        reveal(round, ROOT);
        assertEq(candidate(round, result), expected, "matched");
        bool isFinal = consensus.round(round).phase == IOepConsensus.Phase.Final;
        assertTrue(isFinal == (count >= consensus.round(round).quorum), "final with a quorum, and only then");
    }

    /// forge-config: default.isolate = true
    function test_GasOfARound() public {
        costs(5, 55_000);
        costs(21, 46_000);
    }

    function costs(uint256 members, uint256 most) private {
        deploy();
        uint32 round = openWith(members);
        uint256 total;
        delete ballots[round];
        for (uint256 i = 0; i < members; ++i) {
            bytes32 ballot = consensus.ballotFor(round, indexOf(i), ROOT, PARTITIONS);
            ballots[round] = bytes.concat(ballots[round], abi.encodePacked(uint8(i), ballot));
            vm.prank(signer(i));
            consensus.castBallot(round, ballot, CUSTODY);
            total += vm.lastCallGas().gasTotalUsed;
        }
        reveal(round, ROOT);
        total += vm.lastCallGas().gasTotalUsed;
        assertPhase(round, IOepConsensus.Phase.Final);
        assertTrue(total / members <= most, "gas for each member");
    }

    function rejectsBallots(uint32 round, bytes32 expected, bytes memory packed) private {
        bytes32 received = keccak256(abi.encode(block.chainid, address(consensus), uint64(round)));
        for (uint256 i = 0; i < packed.length; i += 33) {
            received = keccak256(bytes.concat(received, slice(packed, i, i + 33)));
        }
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.BallotsMismatch.selector, expected, received));
        consensus.revealRoot(round, ROOT, PARTITIONS, packed);
    }

    function slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = from; i < to; ++i) {
            part[i - from] = data[i];
        }
    }
}
