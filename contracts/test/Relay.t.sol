// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Ballots cast by somebody else: valid signatures, errors that reject a batch, and cost.
contract RelayTest is Fixture {
    bytes32 private constant BALLOT = bytes32(uint256(0xba));
    // As a literal: the compiler assumes that block.chainid does not change during a call.
    uint256 private constant CHAIN = 31_337;
    uint256 private constant OTHER_CHAIN = 246;
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function test_CastsABatchInItsOrder() public {
        uint32 round = openWith(5);
        bytes32 hash = consensus.round(round).ballotsHash;
        uint256[3] memory who = [uint256(3), 0, 4];
        bytes memory batch;
        for (uint256 k = 0; k < 3; ++k) {
            bytes32 ballot = bytes32(who[k] + 0xb0);
            batch = bytes.concat(batch, signed(round, who[k], ballot));
            hash = keccak256(abi.encodePacked(hash, uint8(who[k]), ballot));
        }
        for (uint256 k = 0; k < 3; ++k) {
            vm.expectEmit(address(consensus));
            emit IOepConsensus.BallotCast(round, operator(who[k]), bytes32(who[k] + 0xb0), CUSTODY);
        }
        relay(round, batch);
        assertEq(consensus.round(round).voted, 25, "voted");
        assertEq(consensus.round(round).ballotsHash, hash, "ballots hash");
    }

    // Cast directly or through any number of relays, in any order: the round ends the same.
    function testFuzz_CountsAsIfCastDirectly(uint16 directly, uint16 second, uint8 shift) public {
        uint256 n = 9;
        uint32 round = openWith(n);
        bytes[2] memory batches;
        for (uint256 k = 0; k < n; ++k) {
            uint256 i = (k + shift) % n;
            if ((directly >> i) & 1 == 1) vote(round, i, ROOT);
        }
        for (uint256 b = 0; b < 2; ++b) {
            for (uint256 i = 0; i < n; ++i) {
                if ((directly >> i) & 1 == 1 || (second >> i) & 1 != b) continue;
                batches[b] = bytes.concat(batches[b], signedVote(round, i, ROOT));
                keep(round, i, consensus.ballotFor(round, indexOf(i), ROOT, PARTITIONS));
            }
            if (batches[b].length != 0) relay(round, batches[b]);
        }
        assertPhase(round, IOepConsensus.Phase.Revealing);
        reveal(round, ROOT);
        assertEq(consensus.round(round).matched, (1 << n) - 1, "matched");
    }

    function test_TheDigestIsThatOfEip712() public view {
        string memory json = string.concat(
            '{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},',
            '{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],',
            '"Ballot":[{"name":"round","type":"uint64"},{"name":"ballot","type":"bytes32"},{"name":"custody","type":"bytes32"}]},"primaryType":"Ballot",',
            '"domain":{"name":"OepConsensus","version":"1","chainId":',
            vm.toString(block.chainid),
            ',"verifyingContract":"',
            vm.toString(address(consensus)),
            '"},"message":{"round":7,"ballot":"',
            vm.toString(BALLOT),
            '","custody":"',
            vm.toString(CUSTODY),
            '"}}'
        );
        assertEq(consensus.ballotDigest(7, BALLOT, CUSTODY), vm.eip712HashTypedData(json), "digest");
    }

    function test_TellsItsDomain() public view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifier,
            bytes32 salt,
            uint256[] memory extensions
        ) = consensus.eip712Domain();
        assertEq(fields, bytes1(0x0f), "fields");
        assertEq(bytes(name), "OepConsensus", "name");
        assertEq(bytes(version), "1", "version");
        assertEq(chainId, block.chainid, "chain");
        assertEq(verifier, address(consensus), "contract");
        assertEq(salt, 0, "salt");
        assertEq(extensions.length, 0, "extensions");
    }

    function test_WhoVotedAMomentEarlierSpoilsNothing() public {
        uint32 round = openWith(4);
        bytes memory batch = bytes.concat(
            signed(round, 0, BALLOT), signed(round, 1, BALLOT), signed(round, 2, BALLOT), signed(round, 0, BALLOT)
        );
        castAs(round, signer(0), bytes32(uint256(0xbb)));
        abstain(round, 2, IOepConsensus.Reason.InternalFault);
        bytes32 hash = consensus.round(round).ballotsHash;
        relay(round, batch);
        assertEq(consensus.round(round).voted, 7, "voted");
        assertEq(
            consensus.round(round).ballotsHash, keccak256(abi.encodePacked(hash, uint8(1), BALLOT)), "ballots hash"
        );
    }

    function test_NothingIsCastTwice() public {
        uint32 round = openWith(3);
        bytes memory batch = bytes.concat(signed(round, 0, BALLOT), signed(round, 1, BALLOT));
        relay(round, batch);
        bytes memory error_ = abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round);
        rejects(round, batch, error_);
        rejects(round, signed(round, 1, bytes32(uint256(0xbb))), error_);
        rejects(round, "", error_);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(1)));
        vm.prank(signer(1));
        consensus.castBallot(round, BALLOT, CUSTODY);
    }

    function test_RejectsTwoOfAMemberInOneBatch() public {
        uint32 round = openWith(3);
        bytes memory error_ = abi.encodeWithSelector(IOepConsensus.DuplicateEntry.selector, 2, operator(1));
        bytes memory start = bytes.concat(signed(round, 1, BALLOT), signed(round, 0, BALLOT));
        rejects(round, bytes.concat(start, signed(round, 1, BALLOT)), error_);
        rejects(round, bytes.concat(start, signed(round, 1, bytes32(uint256(0xbb)))), error_);
    }

    function test_RejectsASignatureForSomethingElse() public {
        uint32 round = openWith(3);
        uint32 other = open();
        bytes memory good = signed(round, 0, BALLOT);
        rejectsStranger(round, bytes.concat(good, signed(other, 1, BALLOT)), 1);

        vm.chainId(OTHER_CHAIN);
        bytes memory foreign = signed(round, 1, BALLOT);
        vm.chainId(CHAIN);
        rejectsStranger(round, bytes.concat(good, foreign), 1);

        OepConsensus here = consensus;
        consensus = new OepConsensus(ADMIN, policy());
        foreign = signed(round, 1, BALLOT);
        consensus = here;
        rejectsStranger(round, bytes.concat(good, foreign), 1);
        relay(round, good);
    }

    // After a fork of the chain a signature is valid on the branch with the chain id that it names.
    function test_TheDomainFollowsTheChain() public {
        uint32 round = openWith(1);
        vm.chainId(OTHER_CHAIN);
        relay(round, signed(round, 0, BALLOT));
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    function test_OnlySignersOfTheRound() public {
        uint32 round = openWith(3);
        addWorkers(3, 1);
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(2));
        rejects(round, signed(round, 3, BALLOT), notInElectorate(0, signer(3), 2));
        rejects(round, signed(round, 51, BALLOT), notInElectorate(0, signer(51), 2));
        rejects(
            round, bytes.concat(signed(round, 0, BALLOT), signed(round, 9, BALLOT)), notInElectorate(1, signer(9), 2)
        );
        relay(round, bytes.concat(signed(round, 1, BALLOT), signed(round, 2, BALLOT)));
        assertEq(consensus.round(round).voted, 6, "voted");
        uint32 next = open();
        rejects(next, signed(next, 1, BALLOT), notInElectorate(0, signer(1), 5));
        rejects(next, signed(next, 2, BALLOT), notInElectorate(0, signer(2), 5));
        relay(next, bytes.concat(signed(next, 51, BALLOT), signed(next, 3, BALLOT)));
        assertEq(consensus.round(next).voted, 10, "voted in the next round");
    }

    // The twin of every signature, (r, n - s), with the other parity.
    function testFuzz_RejectsTheTwin(uint256 key, bytes32 ballot) public {
        vm.assume(key != 0 && key < ORDER && uint256(ballot) > 5);
        uint32 round = openFor(vm.addr(key));
        (bytes32 r, bytes32 vs) = vm.signCompact(key, consensus.ballotDigest(round, ballot, CUSTODY));
        uint256 s = uint256(vs) & (type(uint256).max >> 1);
        uint256 parity = uint256(vs) >> 255;
        bytes memory twin = abi.encodePacked(ballot, CUSTODY, r, (ORDER - s) | ((1 - parity) << 255));
        rejects(round, twin, rejectionOf(consensus.ballotDigest(round, ballot, CUSTODY), twin, 2));
        relay(round, abi.encodePacked(ballot, CUSTODY, r, vs));
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    // A signature with s larger than half of the order is invalid. If s has all 256 bits, its highest is read as the
    // parity, and the remainder may be a signature: by some account, or by none.
    function rejectionOf(bytes32 digest, bytes memory signedBallot, uint32 epoch) private pure returns (bytes memory) {
        (,, bytes32 r, uint256 vs) = abi.decode(signedBallot, (bytes32, bytes32, bytes32, uint256));
        uint256 s = vs & (type(uint256).max >> 1);
        address account = s > ORDER / 2 ? address(0) : ecrecover(digest, uint8(27 + (vs >> 255)), r, bytes32(s));
        return account == address(0) ? invalid(0) : notInElectorate(0, account, epoch);
    }

    // Compact signatures have room for an s a little above half of the order. This is the one pair of twins of which
    // both are known to fit: of s at half of the order, and one more. Both are by the same account.
    function test_RejectsALargeS() public {
        uint256 half = ORDER / 2;
        bytes32 digest = consensus.ballotDigest(1, BALLOT, CUSTODY);
        (bytes32 r,) = vm.signCompact(signerKey(0), digest);
        address account = ecrecover(digest, 28, r, bytes32(half));
        assertEq(account, ecrecover(digest, 27, r, bytes32(half + 1)), "twins");
        uint32 round = openFor(account);
        assertEq(round, 1, "round");
        rejects(round, abi.encodePacked(BALLOT, CUSTODY, r, half + 1), invalid(0));
        relay(round, abi.encodePacked(BALLOT, CUSTODY, r, half | (1 << 255)));
        assertEq(consensus.round(round).voted, 1, "voted");
    }

    function test_RejectsWhatNobodySigned() public {
        uint32 round = openWith(2);
        bytes memory good = signed(round, 0, BALLOT);
        // No point of the curve has this r: zero, the order, or an x without a square root.
        rejects(round, bytes.concat(good, abi.encodePacked(BALLOT, CUSTODY, uint256(0), uint256(1))), invalid(1));
        rejects(round, abi.encodePacked(BALLOT, CUSTODY, ORDER, uint256(1)), invalid(0));
        rejects(round, abi.encodePacked(BALLOT, CUSTODY, uint256(5), uint256(1)), invalid(0));
        rejects(round, abi.encodePacked(BALLOT, CUSTODY, uint256(1), uint256(0)), invalid(0));
        rejects(round, new bytes(128), invalid(0));
        relay(round, good);
    }

    function testFuzz_RejectsAnyFlippedBit(uint16 place_) public {
        uint32 round = openWith(3);
        bytes memory batch = bytes.concat(signed(round, 2, BALLOT), signed(round, 0, BALLOT));
        bytes32 before = snapshot(round);
        uint256 place = uint256(place_) % (8 * batch.length);
        batch[place / 8] ^= bytes1(uint8(1 << (place % 8)));
        vm.prank(STRANGER);
        try consensus.castBallots(round, batch) {
            assertTrue(false, "a changed batch was taken");
        } catch (bytes memory reason) {
            bytes4 error_ = bytes4(reason);
            assertTrue(
                error_ == IOepConsensus.SignerNotInElectorate.selector
                    || error_ == IOepConsensus.InvalidSignature.selector,
                "rejected by name"
            );
        }
        assertEq(snapshot(round), before, "round");
    }

    function test_RejectsOddLengthsAndEmptyBallots() public {
        uint32 round = openWith(2);
        bytes memory good = signed(round, 0, BALLOT);
        rejects(
            round, bytes.concat(good, hex"00"), abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 128, 129)
        );
        rejects(round, new bytes(127), abi.encodeWithSelector(IOepConsensus.BallotsLength.selector, 128, 127));
        rejects(
            round,
            bytes.concat(good, signed(round, 1, 0)),
            abi.encodeWithSelector(IOepConsensus.Missing.selector, "ballot")
        );
    }

    function test_EveryReasonAbstains() public {
        uint32 round = openWith(7);
        bytes memory batch;
        for (uint256 i = 0; i < 7; ++i) {
            batch = bytes.concat(batch, signed(round, i, bytes32(i == 0 ? 6 : i == 6 ? type(uint256).max : i)));
        }
        batch = bytes.concat(signed(round, 0, bytes32(uint256(6)), CUSTODY), slice(batch, 128, 7 * 128));
        bytes32 hash = consensus.round(round).ballotsHash;
        for (uint8 i = 1; i < 6; ++i) {
            vm.expectEmit(address(consensus));
            emit IOepConsensus.Abstained(round, operator(i), IOepConsensus.Reason(i));
        }
        relay(round, batch);
        IOepConsensus.RecordView memory record = consensus.record(round);
        assertEq(record.round.voted, 127, "voted");
        hash = keccak256(abi.encodePacked(hash, uint8(0), uint256(6)));
        hash = keccak256(abi.encodePacked(hash, uint8(6), type(uint256).max));
        assertEq(record.round.ballotsHash, hash, "ballots hash");
        assertEq(record.abstentions.length, 5, "abstentions");
        for (uint8 i = 0; i < 5; ++i) {
            assertEq(record.abstentions[i].index, i + 1, "index");
            assertEq(uint256(record.abstentions[i].reason), i + 1, "reason");
        }
    }

    function test_ARelayedAbstentionUsesTheVote() public {
        uint32 round = openWith(3);
        bytes memory abstention_ = signed(round, 1, bytes32(uint256(2)));
        relay(round, bytes.concat(signed(round, 0, BALLOT), abstention_));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(1)));
        vm.prank(signer(1));
        consensus.castBallot(round, BALLOT, CUSTODY);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.AlreadyVoted.selector, round, operator(1)));
        abstain(round, 1, IOepConsensus.Reason.InputInvalid);
        rejects(
            round,
            bytes.concat(abstention_, signed(round, 1, BALLOT)),
            abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round)
        );
        assertEq(uint256(abstention(round, 1)), 2, "reason");
        bytes memory twice = bytes.concat(signed(round, 2, bytes32(uint256(2))), signed(round, 2, BALLOT));
        rejects(round, twice, abi.encodeWithSelector(IOepConsensus.DuplicateEntry.selector, 1, operator(2)));
        relay(round, signed(round, 2, bytes32(uint256(5))));
        assertPhase(round, IOepConsensus.Phase.Revealing);
        assertEq(consensus.record(round).abstentions.length, 2, "abstentions");
    }

    // Of a member that has voted, too: a malformed vote is the relay's mistake.
    function test_RejectsABallotWithoutCustodyAndAnAbstentionWithOne() public {
        uint32 round = openWith(2);
        castAs(round, signer(1), BALLOT);
        bytes32 custody = bytes32(uint256(1));
        bytes memory good = signed(round, 0, BALLOT);
        bytes memory missing = abi.encodeWithSelector(IOepConsensus.Missing.selector, "custody");
        rejects(round, bytes.concat(good, signed(round, 1, BALLOT, 0)), missing);
        rejects(round, signed(round, 0, bytes32(uint256(6)), 0), missing);
        rejects(
            round,
            bytes.concat(good, signed(round, 1, bytes32(uint256(5)), custody)),
            abi.encodeWithSelector(IOepConsensus.CustodyOfAbstention.selector, bytes32(0), custody)
        );
        rejects(round, signed(round, 0, 0, custody), abi.encodeWithSelector(IOepConsensus.Missing.selector, "ballot"));
        relay(round, good);
    }

    // A signature is for its custody root as well.
    function test_RejectsAnotherCustodyRoot() public {
        uint32 round = openWith(2);
        bytes memory moved = signed(round, 0, BALLOT);
        moved[63] ^= 0x01;
        rejectsStranger(round, moved, 0);
    }

    function slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = from; i < to; ++i) {
            part[i - from] = data[i];
        }
    }

    function test_FollowsTheRulesOfAVote() public {
        uint32 round = openWith(3);
        bytes memory batch = signed(round, 0, BALLOT);
        rejects(
            9,
            batch,
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, 9, IOepConsensus.Status.Open, IOepConsensus.Status.None
            )
        );
        vm.prank(GUARDIAN);
        consensus.pause();
        rejects(round, batch, abi.encodeWithSelector(IOepConsensus.PauseState.selector, false, true));
        vm.prank(ADMIN);
        consensus.unpause();
        uint40 deadline = consensus.round(round).voteDeadline;
        vm.warp(deadline);
        rejects(
            round,
            batch,
            abi.encodeWithSelector(IOepConsensus.VotingClosed.selector, round, deadline, uint256(deadline))
        );
        vm.warp(deadline - 1);
        relay(round, batch);
        warpToExpiry(round);
        consensus.failRound(round);
        rejects(
            round,
            signed(round, 1, BALLOT),
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, round, IOepConsensus.Status.Open, IOepConsensus.Status.Failed
            )
        );
    }

    /// forge-config: default.isolate = true
    function test_GasOfARelayedRound() public {
        costs(21, 16_000);
        costs(100, 12_500);
        costs(128, 12_500);
    }

    function costs(uint256 members, uint256 most) private {
        deploy();
        uint32 round = openWith(members);
        delete ballots[round];
        bytes memory batch;
        for (uint256 i = 0; i < members; ++i) {
            bytes32 ballot = consensus.ballotFor(round, indexOf(i), ROOT, PARTITIONS);
            batch = bytes.concat(batch, signed(round, i, ballot));
            keep(round, i, ballot);
        }
        relay(round, batch);
        uint256 total = vm.lastCallGas().gasTotalUsed;
        reveal(round, ROOT);
        total += vm.lastCallGas().gasTotalUsed;
        assertPhase(round, IOepConsensus.Phase.Final);
        assertTrue(total / members <= most, "gas for each member");
    }

    function openFor(address signer_) private returns (uint32) {
        IOepConsensus.NewWorker[] memory list = newWorkers(0, 1);
        list[0].signer = signer_;
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        return open();
    }

    function relay(uint32 round, bytes memory batch) private {
        vm.prank(STRANGER);
        consensus.castBallots(round, batch);
    }

    function rejects(uint32 round, bytes memory batch, bytes memory error_) private {
        vm.expectRevert(error_);
        relay(round, batch);
    }

    // Under this round's digest the entry's signature recovers to an unknown account.
    function rejectsStranger(uint32 round, bytes memory batch, uint256 entry) private {
        bytes32 word = bytes32(0);
        bytes32 custody;
        bytes32 r;
        bytes32 vs;
        uint256 place = 32 + 128 * entry;
        assembly {
            word := mload(add(batch, place))
            custody := mload(add(batch, add(place, 32)))
            r := mload(add(batch, add(place, 64)))
            vs := mload(add(batch, add(place, 96)))
        }
        bytes32 s = bytes32(uint256(vs) & (type(uint256).max >> 1));
        address recovered =
            ecrecover(consensus.ballotDigest(round, word, custody), uint8(27 + (uint256(vs) >> 255)), r, s);
        rejects(round, batch, notInElectorate(entry, recovered, 2));
    }

    function notInElectorate(uint256 entry, address account, uint32 epoch) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOepConsensus.SignerNotInElectorate.selector, entry, account, epoch);
    }

    function invalid(uint256 entry) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOepConsensus.InvalidSignature.selector, entry);
    }
}
