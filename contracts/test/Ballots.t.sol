// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Casting ballots: who, when, once, and at what price.
contract BallotsTest is Fixture {
    bytes32 private constant BALLOT = bytes32(uint256(0xba));

    function test_CastsABallot() public {
        uint32 round = openWith(3);
        bytes32 before = consensus.round(round).ballotsHash;
        vm.expectEmit(address(consensus));
        emit IOepConsensus.BallotCast(round, operator(1), BALLOT, CUSTODY);
        vm.prank(signer(1));
        consensus.castBallot(round, BALLOT, CUSTODY);
        IOepConsensus.RoundView memory view_ = consensus.round(round);
        assertEq(view_.voted, 2, "voted");
        assertEq(view_.ballotsHash, keccak256(abi.encodePacked(before, uint8(1), BALLOT)), "ballots hash");
    }

    function test_BallotsAreBoundToEverything() public view {
        bytes32 result = keccak256(abi.encode(ROOT, PARTITIONS));
        assertEq(consensus.resultHash(ROOT, PARTITIONS), result, "result");
        assertEq(
            consensus.ballotFor(7, 93, ROOT, PARTITIONS),
            keccak256(abi.encode(uint256(block.chainid), address(consensus), uint64(7), uint8(93), result)),
            "ballot"
        );
    }

    function test_OneVoteEach() public {
        uint32 round = openWith(3);
        castAs(round, signer(0), BALLOT);
        bytes32 before = snapshot(round);
        rejects(
            round, signer(0), BALLOT, abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(0))
        );
        rejects(
            round,
            signer(0),
            bytes32(uint256(0xbb)),
            abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(0))
        );
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.abstain(round, IOepConsensus.Reason.InternalFault);
        assertEq(snapshot(round), before, "round");
    }

    function test_OnlyTheElectorate() public {
        uint32 round = openWith(3);
        bytes32 before = snapshot(round);
        rejects(round, STRANGER, BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, STRANGER, 2));
        // The operator is not the signer.
        rejects(
            round, operator(0), BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, operator(0), 2)
        );
        assertEq(snapshot(round), before, "round");
    }

    function test_MembershipChangesDuringTheVote() public {
        uint32 round = openWith(3);
        addWorkers(3, 1);
        rejects(round, signer(3), BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(3), 2));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        castAs(round, signer(0), BALLOT);
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        rejects(
            round, signer(51), BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(51), 2)
        );
        castAs(round, signer(1), BALLOT);
        assertEq(consensus.round(round).voted, 3, "voted");

        uint32 next = open();
        uint32 epoch = consensus.round(next).epoch;
        rejects(
            next, signer(0), BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(0), epoch)
        );
        rejects(
            next, signer(1), BALLOT, abi.encodeWithSelector(IOepConsensus.NotInElectorate.selector, signer(1), epoch)
        );
        castAs(next, signer(51), BALLOT);
        castAs(next, signer(3), BALLOT);
        assertEq(consensus.round(next).voted, 10, "voted in the next round");
    }

    function test_UntilTheDeadline() public {
        uint32 round = openWith(3);
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline - 1);
        castAs(round, signer(0), BALLOT);
        vm.warp(deadline);
        rejects(
            round,
            signer(1),
            BALLOT,
            abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(deadline))
        );
    }

    function test_NotForNothing() public {
        uint32 round = openWith(3);
        rejects(round, signer(0), 0, abi.encodeWithSelector(IOepConsensus.Missing.selector, "ballot"));
        rejects(
            9,
            signer(0),
            BALLOT,
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, 9, IOepConsensus.Status.Open, IOepConsensus.Status.None
            )
        );
    }

    // The numbers of reasons are abstentions in a signed vote, and nothing in a direct one.
    function test_AReasonIsNoBallot() public {
        uint32 round = openWith(2);
        for (uint256 reason = 1; reason < 6; ++reason) {
            bytes32 ballot = bytes32(reason);
            rejects(round, signer(0), ballot, abi.encodeWithSelector(IOepConsensus.ReservedBallot.selector, 6, ballot));
        }
        castAs(round, signer(0), bytes32(uint256(6)));
        castAs(round, signer(1), bytes32(type(uint256).max));
        assertEq(consensus.round(round).voted, 3, "voted");
        assertEq(consensus.record(round).abstentions.length, 0, "abstentions");
    }

    function test_NeedsACustodyRoot() public {
        uint32 round = openWith(2);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "custody"));
        vm.prank(signer(0));
        consensus.castBallot(round, BALLOT, 0);
        vm.prank(signer(0));
        consensus.castBallot(round, BALLOT, bytes32(uint256(1)));
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // Whatever it is, the ballots hash, the tally and the result are the same.
    function testFuzz_TheCustodyRootCountsForNothing(bytes32 custody) public {
        vm.assume(custody != 0);
        uint32 round = openWith(2);
        vote(round, 0, ROOT);
        bytes32 before = consensus.round(round).ballotsHash;
        bytes32 ballot = consensus.ballotFor(round, 1, ROOT, PARTITIONS);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.BallotCast(round, operator(1), ballot, custody);
        vm.prank(signer(1));
        consensus.castBallot(round, ballot, custody);
        assertEq(
            consensus.round(round).ballotsHash, keccak256(abi.encodePacked(before, uint8(1), ballot)), "ballots hash"
        );
        keep(round, 1, ballot);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, 3, "matched");
    }

    /// forge-config: default.isolate = true
    function test_EveryVoteCostsTheSame() public {
        uint32 round = openWith(21);
        uint256 first;
        for (uint256 i = 0; i < 21; ++i) {
            bytes32 ballot = keccak256(abi.encode(i));
            vm.prank(signer(i));
            consensus.castBallot(round, ballot, CUSTODY);
            uint256 gas_ = vm.lastCallGas().gasTotalUsed;
            if (i == 0) first = gas_;
            assertTrue(gas_ > 21_000 && gas_ <= 41_000, "a vote costs more than 41k gas, or was not measured whole");
            uint256 difference = gas_ > first ? gas_ - first : first - gas_;
            assertTrue(difference < 400, "votes differ by 1 % or more");
        }
    }

    function rejects(uint32 round, address account, bytes32 ballot, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(account);
        consensus.castBallot(round, ballot, CUSTODY);
    }
}
