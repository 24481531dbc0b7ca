// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Entries} from "../src/Entries.sol";
import {IOepConsensus} from "../src/IOepConsensus.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {OepInclusion} from "../src/OepInclusion.sol";
import {Rfc9162} from "../src/Rfc9162.sol";
import {Fixture} from "./support/Fixture.sol";
import {ReferenceTree} from "./support/ReferenceTree.sol";
import {vm} from "./support/Vm.sol";

/// @dev Partition and site entries in a final round.
contract InclusionTest is Fixture {
    uint256 private constant SITES = 7;

    OepInclusion private inclusion = new OepInclusion();

    struct Proof {
        bytes site;
        uint256 siteIndex;
        bytes32[] sitePath;
        bytes partition;
        uint256 index;
        bytes32[] path;
    }

    function test_EveryPartition() public {
        for (uint256 count = 1; count <= 9; ++count) {
            uint32 round = finalRound(count);
            for (uint256 i = 0; i < count; ++i) {
                verifyPartition(consensus, round, partitionEntry(i), i, ReferenceTree.path(partitionLeaves(count), i));
            }
        }
    }

    function testFuzz_EverySite(uint8 count_, uint8 index_, uint8 siteIndex_) public {
        uint256 count = uint256(count_) % 20 + 1;
        uint32 round = finalRound(count);
        verify(round, proof(count, uint256(index_) % count, uint256(siteIndex_) % SITES));
    }

    function test_OnlyInAFinalRound() public {
        uint32 round = finalRound(3);
        uint32 unfinished = open();
        bytes32[] memory path = ReferenceTree.path(partitionLeaves(3), 0);
        bytes memory entry = partitionEntry(0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, unfinished, IOepConsensus.Status.Final, IOepConsensus.Status.Open
            )
        );
        verifyPartition(consensus, unfinished, entry, 0, path);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, 99, IOepConsensus.Status.Final, IOepConsensus.Status.None
            )
        );
        verifyPartition(consensus, 99, entry, 0, path);
        verifyPartition(consensus, round, entry, 0, path);
    }

    function test_TheFinalResultIsThatOfAFinalRound() public {
        uint32 round = finalRound(3);
        (bytes32 root, uint32 partitions) = consensus.finalResult(round);
        assertEq(root, ReferenceTree.root(partitionLeaves(3)), "root");
        assertEq(partitions, 3, "partitions");
        uint32 failed = open();
        warpToExpiry(failed);
        consensus.failRound(failed);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, failed, IOepConsensus.Status.Final, IOepConsensus.Status.Failed
            )
        );
        consensus.finalResult(failed);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOepConsensus.WrongStatus.selector, 0, IOepConsensus.Status.Final, IOepConsensus.Status.None
            )
        );
        consensus.finalResult(0);
    }

    // One deployment serves every consensus contract, and a proof is of the one that is named.
    function test_OfAnotherContract() public {
        uint32 round = finalRound(3);
        OepConsensus here = consensus;
        bytes32[] memory path = ReferenceTree.path(partitionLeaves(3), 0);
        deploy();
        delete ballots[round];
        uint32 other = finalRound(4);
        assertEq(other, round, "number");
        bytes memory entry = partitionEntry(0);
        verifyPartition(here, round, entry, 0, path);
        bytes32 expected = consensus.round(other).root;
        bytes32 received = here.round(round).root;
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.RootMismatch.selector, expected, received));
        verifyPartition(consensus, other, entry, 0, path);
        verifyPartition(consensus, other, entry, 0, ReferenceTree.path(partitionLeaves(4), 0));
    }

    function test_NotOfAnotherRound() public {
        finalRound(3);
        uint32 other = finalRound(4);
        bytes32[] memory path = ReferenceTree.path(partitionLeaves(3), 0);
        bytes memory entry = partitionEntry(0);
        bytes32 hash = sha256(abi.encodePacked(hex"01", leaf(0), path[0]));
        bytes32 received = sha256(abi.encodePacked(hex"01", hash, path[1]));
        bytes32 expected = consensus.round(other).root;
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.RootMismatch.selector, expected, received));
        verifyPartition(consensus, other, entry, 0, path);
    }

    function test_RejectsEntriesOfAnotherKind() public {
        uint32 round = finalRound(3);
        Proof memory good = proof(3, 1, 2);
        verify(round, good);

        bytes memory entry = good.partition;
        bytes memory error_ = abi.encodeWithSelector(Entries.EntryLength.selector, 73, 74);
        vm.expectRevert(error_);
        verifyPartition(consensus, round, bytes.concat(entry, hex"00"), 1, good.path);
        vm.expectRevert(abi.encodeWithSelector(Entries.EntryLength.selector, 73, 0));
        verifyPartition(consensus, round, "", 1, good.path);
        entry = proof(3, 1, 2).partition;
        entry[4] = 0x01;
        vm.expectRevert(abi.encodeWithSelector(Entries.EntryTag.selector, bytes5("OEP1\x02"), bytes5("OEP1\x01")));
        verifyPartition(consensus, round, entry, 1, good.path);

        Proof memory bad = proof(3, 1, 2);
        bad.site = good.partition;
        rejects(round, bad, abi.encodeWithSelector(Entries.EntryTag.selector, bytes5("OEP1\x01"), bytes5("OEP1\x02")));
        bad.site = "OEP";
        rejects(round, bad, abi.encodeWithSelector(Entries.EntryTag.selector, bytes5("OEP1\x01"), bytes5("OEP")));
        bad = proof(3, 1, 2);
        bad.partition = good.site;
        rejects(round, bad, abi.encodeWithSelector(Entries.EntryLength.selector, 73, good.site.length));
    }

    function test_TheSizesAreThoseOfTheTrees() public {
        uint32 round = finalRound(3);
        Proof memory bad = proof(3, 1, 2);
        bad.siteIndex = SITES;
        rejects(round, bad, abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, SITES, SITES));
        bad = proof(3, 1, 2);
        bad.index = 3;
        rejects(round, bad, abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, 3, 3));
        bad = proof(3, 1, 2);
        bad.sitePath = new bytes32[](2);
        rejects(round, bad, abi.encodeWithSelector(Rfc9162.PathLength.selector, 3, 2));
        bad = proof(3, 1, 2);
        bad.path = new bytes32[](3);
        rejects(round, bad, abi.encodeWithSelector(Rfc9162.PathLength.selector, 2, 3));
    }

    // One changed byte anywhere in the two entries or the two paths is rejected.
    function testFuzz_RejectsAnyChangedByte(uint16 place_, uint8 flip) public {
        vm.assume(flip != 0);
        uint32 round = finalRound(3);
        Proof memory bad = proof(3, 1, 2);
        uint256 place = uint256(place_) % (bad.site.length + bad.partition.length + 5 * 32);
        if (place < bad.site.length) {
            bad.site[place] ^= bytes1(flip);
        } else if (place < bad.site.length + bad.partition.length) {
            bad.partition[place - bad.site.length] ^= bytes1(flip);
        } else {
            place -= bad.site.length + bad.partition.length;
            bytes32 mask = bytes32(uint256(flip) << 8 * (place % 32));
            if (place < 96) bad.sitePath[place / 32] ^= mask;
            else bad.path[(place - 96) / 32] ^= mask;
        }
        assertTrue(!isAccepted(round, bad), "a changed proof was accepted");
        assertTrue(isAccepted(round, proof(3, 1, 2)), "the proof itself was rejected");
    }

    // Execution only: a view call is not a separate transaction here. A transaction adds 21,000, and about 5,600 for
    // its calldata.
    function test_GasOfAPartitionAmong100() public {
        uint32 round = finalRound(100);
        bytes32[] memory path = ReferenceTree.path(partitionLeaves(100), 37);
        bytes memory entry = partitionEntry(37);
        verifyPartition(consensus, round, entry, 37, path);
        assertTrue(vm.lastCallGas().gasTotalUsed <= 13_400, "inclusion costs more than 13.4k gas");
    }

    function test_NothingIsInAnEmptyTree() public {
        addWorkers(0, 1);
        uint32 round = open();
        castAs(round, signer(0), consensus.ballotFor(round, indexOf(0), ROOT, 0));
        consensus.revealRoot(round, ROOT, 0, ballots[round]);
        bytes memory entry = partitionEntry(0);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, 0, 0));
        verifyPartition(consensus, round, entry, 0, new bytes32[](0));
    }

    function finalRound(uint256 count) private returns (uint32 round) {
        if (consensus.currentEpoch() == 1) addWorkers(0, 1);
        round = open();
        bytes32 root = ReferenceTree.root(partitionLeaves(count));
        castAs(round, signer(0), consensus.ballotFor(round, indexOf(0), root, uint32(count)));
        consensus.revealRoot(round, root, uint32(count), ballots[round]);
    }

    function proof(uint256 count, uint256 index, uint256 siteIndex) private pure returns (Proof memory) {
        return Proof({
            site: siteEntry(index, siteIndex),
            siteIndex: siteIndex,
            sitePath: ReferenceTree.path(siteLeaves(index), siteIndex),
            partition: partitionEntry(index),
            index: index,
            path: ReferenceTree.path(partitionLeaves(count), index)
        });
    }

    function verify(uint32 round, Proof memory p) private view {
        inclusion.verifySite(consensus, round, siteOf(p), partitionOf(p));
    }

    function siteOf(Proof memory p) private pure returns (OepInclusion.Leaf memory) {
        return OepInclusion.Leaf(p.site, p.siteIndex, p.sitePath);
    }

    function partitionOf(Proof memory p) private pure returns (OepInclusion.Leaf memory) {
        return OepInclusion.Leaf(p.partition, p.index, p.path);
    }

    function verifyPartition(OepConsensus where, uint32 round, bytes memory entry, uint256 index, bytes32[] memory path)
        private
        view
    {
        inclusion.verifyPartition(where, round, OepInclusion.Leaf(entry, index, path));
    }

    function rejects(uint32 round, Proof memory p, bytes memory error_) private {
        vm.expectRevert(error_);
        verify(round, p);
    }

    function isAccepted(uint32 round, Proof memory p) private view returns (bool) {
        try inclusion.verifySite(consensus, round, siteOf(p), partitionOf(p)) {
            return true;
        } catch {
            return false;
        }
    }

    function siteEntry(uint256 partition, uint256 site) private pure returns (bytes memory) {
        bytes32 pseudonym = sha256(abi.encode("site", partition, site));
        return abi.encodePacked("OEP1", uint8(1), pseudonym, uint8(0), uint8(0), uint8(3), "NET", uint64(1_770_000_000));
    }

    function siteLeaves(uint256 partition) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](SITES);
        for (uint256 i = 0; i < SITES; ++i) {
            leaves[i] = ReferenceTree.leaf(siteEntry(partition, i));
        }
    }

    function partitionEntry(uint256 partition) private pure returns (bytes memory) {
        bytes32 pseudonym = sha256(abi.encode("aggregator", partition));
        bytes32 root = ReferenceTree.root(siteLeaves(partition));
        return abi.encodePacked("OEP1", uint8(2), pseudonym, root, uint32(SITES));
    }

    function leaf(uint256 partition) private pure returns (bytes32) {
        return ReferenceTree.leaf(partitionEntry(partition));
    }

    function partitionLeaves(uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = leaf(i);
        }
    }
}
