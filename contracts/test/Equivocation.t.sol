// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Two signed ballots of one worker for one round: valid evidence, and its effects.
contract EquivocationTest is Fixture {
    bytes32 private constant BALLOT = bytes32(uint256(0xba));
    bytes32 private constant OTHER = bytes32(uint256(0xbb));

    function test_IsRecordedAndNamesTheWorker() public {
        uint32 round = openWith(3);
        bytes32 before = snapshot(round);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.Equivocated(round, operator(1), BALLOT, OTHER);
        report(round, evidence(round, 1));
        assertEq(consensus.record(round).equivocators, 2, "equivocators");
        report(round, evidence(round, 2));
        assertEq(consensus.record(round).equivocators, 6, "equivocators");
        assertEq(snapshot(round), before, "round");
    }

    function test_IsRecordedOnce() public {
        uint32 round = openWith(3);
        report(round, evidence(round, 1));
        bytes memory error_ = abi.encodeWithSelector(IOepConsensus.AlreadyEquivocated.selector, round, operator(1));
        rejects(round, evidence(round, 1), error_);
        rejects(round, bytes.concat(signed(round, 1, OTHER), signed(round, 1, BALLOT)), error_);
        rejects(round, bytes.concat(signed(round, 1, OTHER), signed(round, 1, ROOT)), error_);
        uint32 next = open();
        report(next, evidence(next, 1));
        assertEq(consensus.record(next).equivocators, 2, "equivocators of the next round");
    }

    // The first ballot stays, and counts: the contract does not guess which of two was meant.
    function test_MovesNoTally() public {
        uint32 round = openWith(3);
        bytes memory first = signedVote(round, 0, ROOT);
        bytes memory second = signedVote(round, 0, OTHER_ROOT);
        consensus.castBallots(round, first);
        keep(round, 0, consensus.ballotFor(round, indexOf(0), ROOT, PARTITIONS));
        report(round, bytes.concat(first, second));
        vote(round, 1, ROOT);
        abstain(round, 2, IOepConsensus.Reason.InternalFault);
        reveal(round, ROOT);
        assertPhase(round, IOepConsensus.Phase.Final);
        assertEq(consensus.round(round).matched, 3, "matched");
    }

    function test_InARoundOfAnyStatusPausedOrNot() public {
        addWorkers(0, 1);
        uint32 finalised = open();
        vote(finalised, 0, ROOT);
        reveal(finalised, ROOT);
        uint32 cancelled = open();
        vm.prank(REQUESTER);
        consensus.cancelRound(cancelled, "given up");
        uint32 failed = open();
        warpToExpiry(failed);
        consensus.failRound(failed);
        vm.prank(GUARDIAN);
        consensus.pause();
        for (uint32 round = finalised; round <= failed; ++round) {
            bytes32 before = snapshot(round);
            report(round, evidence(round, 0));
            assertEq(consensus.record(round).equivocators, 1, "equivocators");
            assertEq(snapshot(round), before, "round");
        }
    }

    function test_OfASignerThatIsNoneAnyMore() public {
        uint32 round = openWith(2);
        vm.prank(operator(0));
        consensus.rotateSigner(signer(50));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(1));
        report(round, evidence(round, 0));
        report(round, evidence(round, 1));
        assertEq(consensus.record(round).equivocators, 3, "equivocators");
        rejects(
            round,
            evidence(round, 50),
            abi.encodeWithSelector(IOepConsensus.SignerNotInElectorate.selector, 0, signer(50), 2)
        );
    }

    function test_RejectsWhatIsNoEvidence() public {
        uint32 round = openWith(3);
        uint32 other = open();
        bytes memory one = signed(round, 1, BALLOT);
        rejects(
            round, bytes.concat(one, one), abi.encodeWithSelector(IOepConsensus.SameBallot.selector, round, operator(1))
        );
        rejects(
            round,
            bytes.concat(one, signed(round, 2, OTHER)),
            abi.encodeWithSelector(IOepConsensus.TwoSigners.selector, operator(1), operator(2))
        );
        rejects(round, one, abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 256, 128));
        rejects(
            round, bytes.concat(one, one, one), abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 256, 384)
        );
        rejects(round, "", abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 256, 0));
        rejects(
            round, bytes.concat(one, hex"01"), abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 128, 129)
        );
        rejects(
            round,
            bytes.concat(one, signed(round, 1, 0)),
            abi.encodeWithSelector(IOepConsensus.Missing.selector, "ballot")
        );
        rejects(
            round, bytes.concat(one, new bytes(128)), abi.encodeWithSelector(IOepConsensus.InvalidSignature.selector, 1)
        );
        rejects(9, evidence(9, 0), abi.encodeWithSelector(IOepConsensus.UnknownRound.selector, 2, 9));
        rejects(0, evidence(0, 0), abi.encodeWithSelector(IOepConsensus.UnknownRound.selector, 2, 0));
        // Ballots of two rounds are not an equivocation: read in this round, the other's signer is unknown.
        bytes memory foreign = signed(other, 1, OTHER);
        (,, bytes32 r, uint256 vs) = abi.decode(foreign, (bytes32, bytes32, bytes32, uint256));
        bytes32 s = bytes32(vs & (type(uint256).max >> 1));
        address account = ecrecover(consensus.ballotDigest(round, OTHER, CUSTODY), uint8(27 + (vs >> 255)), r, s);
        rejects(
            round,
            bytes.concat(one, foreign),
            abi.encodeWithSelector(IOepConsensus.SignerNotInElectorate.selector, 1, account, 2)
        );
        assertEq(consensus.record(round).equivocators, 0, "equivocators");
    }

    // A ballot beside a signed abstention, in either order, and two reasons.
    function test_AnAbstentionIsAVote() public {
        uint32 round = openWith(4);
        bytes32 reason = bytes32(uint256(3));
        report(round, bytes.concat(signed(round, 0, BALLOT), signed(round, 0, reason)));
        vm.expectEmit(address(consensus));
        emit IOepConsensus.Equivocated(round, operator(1), reason, BALLOT);
        report(round, bytes.concat(signed(round, 1, reason), signed(round, 1, BALLOT)));
        report(round, bytes.concat(signed(round, 2, reason), signed(round, 2, bytes32(uint256(5)))));
        rejects(
            round,
            bytes.concat(signed(round, 3, reason), signed(round, 3, reason)),
            abi.encodeWithSelector(IOepConsensus.SameBallot.selector, round, operator(3))
        );
        assertEq(consensus.record(round).equivocators, 7, "equivocators");
        assertEq(consensus.round(round).voted, 0, "voted");
    }

    // What could not have been cast is no evidence; another custody root for the same ballot is none either.
    function test_OnlyWhatCouldBeCast() public {
        uint32 round = openWith(2);
        bytes memory one = signed(round, 1, BALLOT);
        rejects(
            round,
            bytes.concat(one, signed(round, 1, OTHER, 0)),
            abi.encodeWithSelector(IOepConsensus.Missing.selector, "custody")
        );
        bytes32 custody = bytes32(uint256(1));
        rejects(
            round,
            bytes.concat(one, signed(round, 1, bytes32(uint256(5)), custody)),
            abi.encodeWithSelector(IOepConsensus.CustodyOfAbstention.selector, bytes32(0), custody)
        );
        rejects(
            round,
            bytes.concat(one, signed(round, 1, BALLOT, custody)),
            abi.encodeWithSelector(IOepConsensus.SameBallot.selector, round, operator(1))
        );
        assertEq(consensus.record(round).equivocators, 0, "equivocators");
    }

    // A retired key that leaks long afterwards accuses nobody.
    function test_UntilThirtyDaysAfterTheRevealDeadline() public {
        uint32 round = openWith(2);
        uint256 deadline = uint256(consensus.round(round).revealDeadline) + 30 days;
        assertEq(consensus.EVIDENCE_TIME(), 30 days, "evidence time");
        vm.warp(deadline - 1);
        report(round, evidence(round, 0));
        vm.warp(deadline);
        bytes memory error_ = abi.encodeWithSelector(IOepConsensus.EvidenceClosed.selector, round, deadline, deadline);
        rejects(round, evidence(round, 1), error_);
        assertEq(consensus.record(round).equivocators, 1, "equivocators");
        consensus.failRound(round);
        rejects(round, evidence(round, 1), error_);
    }

    function evidence(uint32 round, uint256 i) private view returns (bytes memory) {
        return bytes.concat(signed(round, i, BALLOT), signed(round, i, OTHER));
    }

    function report(uint32 round, bytes memory ballots_) private {
        vm.prank(STRANGER);
        consensus.reportEquivocation(round, ballots_);
    }

    function rejects(uint32 round, bytes memory ballots_, bytes memory error_) private {
        vm.expectRevert(error_);
        report(round, ballots_);
    }
}
