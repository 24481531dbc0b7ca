// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../../src/IOepConsensus.sol";
import {OepConsensus} from "../../src/OepConsensus.sol";
import {Assert} from "./Assert.sol";
import {vm} from "./Vm.sol";

/// @dev Creates contracts in a call of its own, which a test can catch.
contract Creator {
    function create(address admin, IOepConsensus.Policy calldata terms) external {
        new OepConsensus(admin, terms);
    }
}

/// @dev A deployed contract with its roles, and the helpers of tests. Worker i has the operator 0x1000 + i and the
/// signer whose key is 0x2000 + i; ballots are kept in the order cast, as a revealer would collect them from the events.
abstract contract Bench is Assert {
    address internal constant ADMIN = address(0xad);
    address internal constant REQUESTER = address(0x4e);
    address internal constant GUARDIAN = address(0x6d);
    address internal constant STRANGER = address(0x57);
    uint32 internal constant VOTE_WINDOW = 100;
    uint32 internal constant REVEAL_WINDOW = 50;
    uint32 internal constant HORIZON = 5_900_000;
    uint16 internal constant INTERVALS = 288;
    bytes32 internal constant ENVELOPE = bytes32(uint256(0xe0));
    bytes32 internal constant REGISTRY = bytes32(uint256(0x40));
    bytes32 internal constant ROOT = bytes32(uint256(0xa11ce));
    bytes32 internal constant OTHER_ROOT = bytes32(uint256(0xb0b));
    uint32 internal constant PARTITIONS = 4;
    bytes32 internal constant CUSTODY = bytes32(uint256(0xc0de));

    OepConsensus internal consensus;
    mapping(uint32 round => bytes) internal ballots;

    function deploy() internal {
        vm.warp(1_900_000_000);
        consensus = new OepConsensus(ADMIN, policy());
        bytes32 requester = consensus.REQUESTER_ROLE();
        bytes32 guardian = consensus.GUARDIAN_ROLE();
        vm.prank(ADMIN);
        consensus.grantRole(requester, REQUESTER);
        vm.prank(ADMIN);
        consensus.grantRole(guardian, GUARDIAN);
    }

    // Never expectRevert before `new`: with dynamic test linking the test then ends there, and passes.
    function rejectsCreation(address admin, IOepConsensus.Policy memory terms, bytes memory error_) internal {
        try (new Creator()).create(admin, terms) {
            revert NotTrue("the creation was accepted");
        } catch (bytes memory reason) {
            assertEq(reason, error_, "creation");
        }
    }

    function policy() internal pure returns (IOepConsensus.Policy memory) {
        return IOepConsensus.Policy(2, 3, VOTE_WINDOW, REVEAL_WINDOW, 1);
    }

    function operator(uint256 i) internal pure returns (address) {
        return address(uint160(0x1000 + i));
    }

    function signerKey(uint256 i) internal pure returns (uint256) {
        return 0x2000 + i;
    }

    function signer(uint256 i) internal pure returns (address) {
        return vm.addr(signerKey(i));
    }

    function indexOf(uint256 i) internal view returns (uint8) {
        return consensus.seatOf(signer(i)).index;
    }

    function newWorkers(uint256 from, uint256 count) internal pure returns (IOepConsensus.NewWorker[] memory list) {
        list = new IOepConsensus.NewWorker[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = IOepConsensus.NewWorker(operator(from + i), signer(from + i), "http://worker");
        }
    }

    function addWorkers(uint256 from, uint256 count) internal {
        vm.prank(ADMIN);
        consensus.addWorkers(newWorkers(from, count));
    }

    function open() internal returns (uint32) {
        return open(HORIZON);
    }

    function open(uint32 horizonStart) internal returns (uint32) {
        vm.prank(REQUESTER);
        return consensus.openRound(horizonStart, INTERVALS, ENVELOPE, REGISTRY);
    }

    function openWith(uint256 workers) internal returns (uint32) {
        addWorkers(0, workers);
        return open();
    }

    function vote(uint32 round, uint256 i, bytes32 root) internal {
        castAs(round, signer(i), consensus.ballotFor(round, indexOf(i), root, PARTITIONS));
    }

    function castAs(uint32 round, address account, bytes32 ballot) internal {
        IOepConsensus.SeatView memory seat = consensus.seatOf(account);
        vm.prank(account);
        consensus.castBallot(round, ballot, CUSTODY);
        ballots[round] = bytes.concat(ballots[round], abi.encodePacked(seat.index, ballot));
    }

    // Worker i's vote as a relay casts it, 128 bytes: a ballot, or an abstention for a reason.
    function signed(uint32 round, uint256 i, bytes32 ballot) internal view returns (bytes memory) {
        return signed(round, i, ballot, uint256(ballot) < 6 ? bytes32(0) : CUSTODY);
    }

    function signed(uint32 round, uint256 i, bytes32 ballot, bytes32 custody) internal view returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(signerKey(i), consensus.ballotDigest(round, ballot, custody));
        return abi.encodePacked(ballot, custody, r, vs);
    }

    function signedVote(uint32 round, uint256 i, bytes32 root) internal view returns (bytes memory) {
        return signed(round, i, consensus.ballotFor(round, indexOf(i), root, PARTITIONS));
    }

    // The ballots that a revealer would collect from the events of a batch.
    function keep(uint32 round, uint256 i, bytes32 ballot) internal {
        ballots[round] = bytes.concat(ballots[round], abi.encodePacked(indexOf(i), ballot));
    }

    function abstain(uint32 round, uint256 i, IOepConsensus.Reason reason) internal {
        vm.prank(signer(i));
        consensus.abstain(round, reason);
    }

    function reveal(uint32 round, bytes32 root) internal {
        bytes memory packed = ballots[round];
        vm.prank(STRANGER);
        consensus.revealRoot(round, root, PARTITIONS, packed);
    }

    function warpToReveal(uint32 round) internal {
        vm.warp(consensus.round(round).voteDeadline);
    }

    function warpToExpiry(uint32 round) internal {
        vm.warp(consensus.round(round).revealDeadline);
    }

    function assertPhase(uint32 round, IOepConsensus.Phase expected) internal view {
        assertEq(uint256(consensus.round(round).phase), uint256(expected), "phase");
    }

    function abstention(uint32 round, uint8 index) internal view returns (IOepConsensus.Reason) {
        IOepConsensus.AbstentionView[] memory list = consensus.record(round).abstentions;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].index == index) return list[i].reason;
        }
        return IOepConsensus.Reason.None;
    }

    // The members that had voted for a revealed result; zero if it was not revealed.
    function candidate(uint32 round, bytes32 result) internal view returns (uint128) {
        IOepConsensus.CandidateView[] memory list = consensus.record(round).candidates;
        for (uint256 i = 0; i < list.length; ++i) {
            if (consensus.resultHash(list[i].root, list[i].partitions) == result) return list[i].matched;
        }
        return 0;
    }

    // Asserts that a call changed nothing in a round.
    function snapshot(uint32 round) internal view returns (bytes32) {
        IOepConsensus.RecordView memory record = consensus.record(round);
        record.equivocators = 0; // evidence is recorded after the end, too
        return keccak256(abi.encode(record));
    }
}

/// @dev Most tests: a fresh contract for each.
abstract contract Fixture is Bench {
    function setUp() public {
        deploy();
    }
}
