// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Casting ballots: who, when, once, and at what price.
contract BallotsTest is Fixture {
    bytes32 private constant BALLOT = bytes32(uint256(0xba));

    function test_CastsABallot() public {
        uint32 round = openWith(3);
        bytes32 before = consensus.round(round).ballotsHash;
        vm.expectEmit(address(consensus));
        emit OepConsensus.BallotCast(round, operator(1), BALLOT);
        vm.prank(signer(1));
        consensus.castBallot(round, BALLOT);
        OepConsensus.RoundView memory view_ = consensus.round(round);
        assertEq(view_.voted, 2, "voted");
        assertEq(view_.ballotsHash, keccak256(abi.encodePacked(before, uint8(1), operator(1), BALLOT)), "ballots hash");
    }

    function test_BallotsAreBoundToEverything() public view {
        bytes32 result = keccak256(abi.encode(ROOT, PARTITIONS));
        assertEq(consensus.resultHash(ROOT, PARTITIONS), result, "result");
        assertEq(
            consensus.ballotFor(7, operator(1), ROOT, PARTITIONS),
            keccak256(abi.encode(uint256(block.chainid), address(consensus), uint64(7), operator(1), result)),
            "ballot"
        );
    }

    function test_OneVoteEach() public {
        uint32 round = openWith(3);
        castAs(round, signer(0), BALLOT);
        bytes32 before = snapshot(round);
        rejects(
            round, signer(0), BALLOT, abi.encodeWithSelector(OepConsensus.AlreadyVoted.selector, round, operator(0))
        );
        rejects(
            round,
            signer(0),
            bytes32(uint256(1)),
            abi.encodeWithSelector(OepConsensus.AlreadyVoted.selector, round, operator(0))
        );
        vm.expectRevert(abi.encodeWithSelector(OepConsensus.AlreadyVoted.selector, round, operator(0)));
        vm.prank(signer(0));
        consensus.abstain(round, OepConsensus.Reason.InternalFault);
        assertEq(snapshot(round), before, "round");
    }

    function test_OnlyTheElectorate() public {
        uint32 round = openWith(3);
        bytes32 before = snapshot(round);
        rejects(round, STRANGER, BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, STRANGER, 2));
        // The operator is not the signer.
        rejects(
            round, operator(0), BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, operator(0), 2)
        );
        assertEq(snapshot(round), before, "round");
    }

    function test_MembershipChangesDuringTheVote() public {
        uint32 round = openWith(3);
        addWorkers(3, 1);
        rejects(round, signer(3), BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(3), 2));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        castAs(round, signer(0), BALLOT);
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        rejects(round, signer(51), BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(51), 2));
        castAs(round, signer(1), BALLOT);
        assertEq(consensus.round(round).voted, 3, "voted");

        uint32 next = open();
        uint32 epoch = consensus.round(next).epoch;
        rejects(
            next, signer(0), BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(0), epoch)
        );
        rejects(
            next, signer(1), BALLOT, abi.encodeWithSelector(OepConsensus.NotInElectorate.selector, signer(1), epoch)
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
            abi.encodeWithSelector(OepConsensus.VotingClosed.selector, round, deadline, uint256(deadline))
        );
    }

    function test_NotForNothing() public {
        uint32 round = openWith(3);
        rejects(round, signer(0), 0, abi.encodeWithSelector(Electorate.Missing.selector, "ballot"));
        rejects(
            9,
            signer(0),
            BALLOT,
            abi.encodeWithSelector(
                OepConsensus.WrongStatus.selector, 9, OepConsensus.Status.Open, OepConsensus.Status.None
            )
        );
    }

    /// forge-config: default.isolate = true
    function test_EveryVoteCostsTheSame() public {
        uint32 round = openWith(21);
        uint256 first;
        for (uint256 i = 0; i < 21; ++i) {
            bytes32 ballot = keccak256(abi.encode(i));
            vm.prank(signer(i));
            consensus.castBallot(round, ballot);
            uint256 gas_ = vm.lastCallGas().gasTotalUsed;
            if (i == 0) first = gas_;
            assertTrue(gas_ > 21_000 && gas_ <= 40_000, "a vote costs more than 40k gas, or was not measured whole");
            uint256 difference = gas_ > first ? gas_ - first : first - gas_;
            assertTrue(difference < 400, "votes differ by 1 % or more");
        }
    }

    function rejects(uint32 round, address account, bytes32 ballot, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(account);
        consensus.castBallot(round, ballot);
    }
}
