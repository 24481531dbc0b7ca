// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Rfc9162} from "../src/Rfc9162.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {OepInclusion} from "../src/OepInclusion.sol";
import {Fixture} from "./support/Fixture.sol";
import {Verifier} from "./support/Verifier.sol";
import {vm} from "./support/Vm.sol";

/// @dev The published vectors of docs/spec, which the Python implementation and its reference model reproduce as well.
contract VectorsTest is Fixture {
    string private constant FOLDER = "../docs/spec/vectors/";

    Verifier private verifier = new Verifier();
    OepInclusion private inclusion = new OepInclusion();

    function test_EveryPathOfTheSmallTrees() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        uint256 trees;
        for (; vm.keyExistsJson(json, entryAt(".trees", trees)); ++trees) {
            string memory tree = entryAt(".trees", trees);
            bytes32 root = word(json, string.concat(tree, ".root"));
            string[] memory entries = vm.parseJsonStringArray(json, string.concat(tree, ".entries"));
            bytes32[] memory leaves = words(json, string.concat(tree, ".leafHashes"));
            for (uint256 i = 0; i < entries.length; ++i) {
                assertEq(verifier.leafHash(vm.parseBytes(entries[i])), leaves[i], "leaf hash");
                bytes32[] memory path = words(json, entryAt(string.concat(tree, ".paths"), i));
                verifier.verify(leaves[i], i, entries.length, path, root);
            }
        }
        assertEq(trees, 9, "trees");
    }

    function test_ThePathsOfTheLargeTrees() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        uint256 proofs;
        for (uint256 i = 0; vm.keyExistsJson(json, entryAt(".largeTreesOfEntryN", i)); ++i) {
            string memory tree = entryAt(".largeTreesOfEntryN", i);
            for (uint256 k = 0; vm.keyExistsJson(json, entryAt(string.concat(tree, ".proofs"), k)); ++k) {
                string memory proof = entryAt(string.concat(tree, ".proofs"), k);
                uint256 index = vm.parseJsonUint(json, string.concat(proof, ".index"));
                verifier.verify(
                    verifier.leafHash(bytes(string.concat("entry ", vm.toString(index)))),
                    index,
                    vm.parseJsonUint(json, string.concat(tree, ".size")),
                    words(json, string.concat(proof, ".path")),
                    word(json, string.concat(tree, ".root"))
                );
                ++proofs;
            }
        }
        assertEq(proofs, 9, "proofs");
    }

    // A path that fits a position in trees of several sizes proves it in each; verifyPartition adds the check that the
    // size is the round's.
    function test_WhatProvesAnotherSizeToo() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        uint256 count;
        for (; vm.keyExistsJson(json, entryAt(".provesAnotherSizeToo", count)); ++count) {
            verify(json, entryAt(".provesAnotherSizeToo", count));
        }
        assertEq(count, 4, "proofs");
    }

    // Malformed ones are represented as closely as calldata allows: a hash of another length is padded with zeros, and a
    // negative index is a very large one.
    function test_WhatIsRejected() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "trees.json"));
        uint256 count;
        for (; vm.keyExistsJson(json, entryAt(".rejected", count)); ++count) {
            string memory key = entryAt(".rejected", count);
            try this.verify(json, key) {
                assertTrue(false, vm.parseJsonString(json, string.concat(key, ".reason")));
            } catch (bytes memory error_) {
                bytes4 name = bytes4(error_);
                assertTrue(
                    name == Rfc9162.RootMismatch.selector || name == Rfc9162.PathLength.selector
                        || name == Rfc9162.IndexOutOfRange.selector,
                    "rejected by name"
                );
            }
        }
        assertEq(count, 25, "rejected");
    }

    function test_TheRounds() public {
        addWorkers(0, 1);
        checkRound("round-array.json", 3);
        checkRound("round-ndjson.json", 2);
        checkRound("round-day.json", 3);
        checkRound("round-wide.json", 3);
        checkRound("round-blind.json", 3);
    }

    function verify(string memory json, string memory key) public view {
        verifier.verify(
            word(json, string.concat(key, ".leaf")),
            uint256(vm.parseJsonInt(json, string.concat(key, ".index"))),
            vm.parseJsonUint(json, string.concat(key, ".size")),
            words(json, string.concat(key, ".path")),
            word(json, string.concat(key, ".root"))
        );
    }

    // Makes the vector's root final, and verifies all its partitions and sites.
    function checkRound(string memory name, uint256 partitions) private {
        string memory json = vm.readFile(string.concat(FOLDER, name));
        bytes32 root = word(json, ".root");
        uint32 count = uint32(vm.parseJsonUint(json, ".partitionCount"));
        assertEq(consensus.resultHash(root, count), word(json, ".resultHash"), "result hash");
        uint32 round = open();
        castAs(round, signer(0), consensus.ballotFor(round, indexOf(0), root, count));
        consensus.revealRoot(round, root, count, ballots[round]);
        uint256 i;
        for (; vm.keyExistsJson(json, entryAt(".partitions", i)); ++i) {
            string memory partition = entryAt(".partitions", i);
            bytes memory entry = vm.parseBytes(vm.parseJsonString(json, string.concat(partition, ".entry")));
            bytes32[] memory path = words(json, string.concat(partition, ".path"));
            inclusion.verifyPartition(consensus, round, OepInclusion.Leaf(entry, i, path));
            checkSites(round, json, string.concat(partition, ".sites"), entry, i, path);
        }
        assertEq(i, partitions, "partitions");
        checkBallots(json, root, count);
    }

    function checkSites(
        uint32 round,
        string memory json,
        string memory sites,
        bytes memory entry,
        uint256 index,
        bytes32[] memory path
    ) private view {
        for (uint256 k = 0; vm.keyExistsJson(json, entryAt(sites, k)); ++k) {
            string memory site = entryAt(sites, k);
            bytes memory siteEntry = vm.parseBytes(vm.parseJsonString(json, string.concat(site, ".entry")));
            bytes32[] memory sitePath = words(json, string.concat(site, ".path"));
            inclusion.verifySite(
                consensus, round, OepInclusion.Leaf(siteEntry, k, sitePath), OepInclusion.Leaf(entry, index, path)
            );
        }
    }

    // The ballots that the same code computes at the vector's address, on the vector's chain.
    function checkBallots(string memory json, bytes32 root, uint32 count) private {
        address place = vm.parseAddress(vm.parseJsonString(json, ".inputs.contract"));
        uint32 number = uint32(vm.parseJsonUint(json, ".inputs.round"));
        vm.etch(place, address(consensus).code);
        vm.chainId(vm.parseJsonUint(json, ".inputs.chainId"));
        for (uint256 k = 0; vm.keyExistsJson(json, entryAt(".ballots", k)); ++k) {
            string memory vote_ = entryAt(".ballots", k);
            uint8 index = uint8(vm.parseJsonUint(json, string.concat(vote_, ".index")));
            bytes32 ballot = OepConsensus(place).ballotFor(number, index, root, count);
            assertEq(ballot, word(json, string.concat(vote_, ".ballot")), "ballot");
        }
        vm.chainId(31_337);
    }

    function entryAt(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    function word(string memory json, string memory key) private pure returns (bytes32) {
        return bytes32(vm.parseBytes(vm.parseJsonString(json, key)));
    }

    function words(string memory json, string memory key) private pure returns (bytes32[] memory list) {
        string[] memory texts = vm.parseJsonStringArray(json, key);
        bytes memory all;
        for (uint256 i = 0; i < texts.length; ++i) {
            bytes memory hash = vm.parseBytes(texts[i]);
            all = bytes.concat(all, hash, new bytes((32 - hash.length % 32) % 32));
        }
        list = new bytes32[](all.length / 32);
        for (uint256 i = 0; i < list.length; ++i) {
            bytes32 value;
            assembly ("memory-safe") {
                value := mload(add(all, mul(add(i, 1), 32)))
            }
            list[i] = value;
        }
    }
}
