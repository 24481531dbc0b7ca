// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Rfc9162} from "../src/Rfc9162.sol";
import {Assert} from "./support/Assert.sol";
import {ReferenceTree} from "./support/ReferenceTree.sol";
import {Verifier} from "./support/Verifier.sol";
import {vm} from "./support/Vm.sol";

/// @dev Inclusion proofs compared with the recursive definition, and invalid proofs.
contract Rfc9162Test is Assert {
    Verifier private verifier = new Verifier();

    function test_LeafHashOfTheEmptyEntry() public view {
        // SHA-256 of the single byte 0x00, a value known from Certificate Transparency's test data.
        assertEq(verifier.leafHash(""), 0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d, "leaf hash");
    }

    // The eight leaves and the root that Certificate Transparency implementations share as test data.
    function test_RootOfTheKnownTree() public view {
        bytes[8] memory entries = [
            bytes(""),
            hex"00",
            hex"10",
            hex"2021",
            hex"3031",
            hex"40414243",
            hex"5051525354555657",
            hex"606162636465666768696a6b6c6d6e6f"
        ];
        bytes32[] memory leaves = new bytes32[](8);
        for (uint256 i = 0; i < 8; ++i) {
            leaves[i] = verifier.leafHash(entries[i]);
        }
        bytes32 root = 0x5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328;
        assertEq(ReferenceTree.root(leaves), root, "root");
        for (uint256 i = 0; i < 8; ++i) {
            verifier.verify(leaves[i], i, 8, ReferenceTree.path(leaves, i), root);
        }
    }

    function test_EveryPositionOfEverySmallTree() public view {
        for (uint256 size = 1; size <= 40; ++size) {
            bytes32[] memory leaves = tree(size, 0);
            bytes32 root = ReferenceTree.root(leaves);
            for (uint256 i = 0; i < size; ++i) {
                verifier.verify(leaves[i], i, size, ReferenceTree.path(leaves, i), root);
            }
        }
    }

    function testFuzz_Proves(uint16 size_, uint16 index_, uint256 seed) public view {
        uint256 size = uint256(size_) % 300 + 1;
        uint256 index = uint256(index_) % size;
        bytes32[] memory leaves = tree(size, seed);
        verifier.verify(leaves[index], index, size, ReferenceTree.path(leaves, index), ReferenceTree.root(leaves));
    }

    function testFuzz_RejectsAnyOtherPosition(uint16 size_, uint16 index_, uint16 other_) public view {
        uint256 size = uint256(size_) % 60 + 2;
        uint256 index = uint256(index_) % size;
        uint256 other = uint256(other_) % size;
        vm.assume(other != index);
        bytes32[] memory leaves = tree(size, 1);
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        assertRejected(leaves[index], other, size, path, ReferenceTree.root(leaves));
    }

    function testFuzz_RejectsAnyFlippedBit(uint16 size_, uint16 index_, uint8 bit, uint16 which) public view {
        uint256 size = uint256(size_) % 60 + 1;
        uint256 index = uint256(index_) % size;
        bytes32[] memory leaves = tree(size, 2);
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        bytes32 root = ReferenceTree.root(leaves);
        bytes32 leaf = leaves[index];
        bytes32 flip = bytes32(uint256(1) << bit);
        uint256 target = uint256(which) % (path.length + 2);
        if (target == 0) leaf ^= flip;
        else if (target == 1) root ^= flip;
        else path[target - 2] ^= flip;
        assertRejected(leaf, index, size, path, root);
    }

    function test_RejectsAnIndexOutsideTheTree() public {
        bytes32[] memory leaves = tree(5, 0);
        bytes32[] memory path = ReferenceTree.path(leaves, 4);
        bytes32 root = ReferenceTree.root(leaves);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, 5, 5));
        verifier.verify(leaves[4], 5, 5, path, root);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, 5, type(uint256).max));
        verifier.verify(leaves[4], type(uint256).max, 5, path, root);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.IndexOutOfRange.selector, 0, 0));
        verifier.verify(leaves[4], 0, 0, path, root);
    }

    // The length that the error names is that of the right path, for every leaf of every small tree.
    function test_NamesTheLengthOfTheRightPath() public {
        for (uint256 size = 1; size <= 17; ++size) {
            bytes32[] memory leaves = tree(size, 0);
            bytes32 root = ReferenceTree.root(leaves);
            for (uint256 i = 0; i < size; ++i) {
                bytes32[] memory path = ReferenceTree.path(leaves, i);
                bytes32[] memory longer = new bytes32[](path.length + 1);
                for (uint256 k = 0; k < path.length; ++k) {
                    longer[k] = path[k];
                }
                vm.expectRevert(abi.encodeWithSelector(Rfc9162.PathLength.selector, path.length, path.length + 1));
                verifier.verify(leaves[i], i, size, longer, root);
                if (size == 1) continue; // no path is the right one
                vm.expectRevert(abi.encodeWithSelector(Rfc9162.PathLength.selector, path.length, 0));
                verifier.verify(leaves[i], i, size, new bytes32[](0), root);
            }
        }
    }

    function test_RejectsPathsOfAnotherLength() public {
        bytes32[] memory leaves = tree(6, 0);
        bytes32[] memory path = ReferenceTree.path(leaves, 1);
        bytes32 root = ReferenceTree.root(leaves);
        bytes32[] memory shorter = new bytes32[](2);
        bytes32[] memory longer = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) {
            if (i < 2) shorter[i] = path[i];
            longer[i] = path[i];
        }
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.PathLength.selector, 3, 2));
        verifier.verify(leaves[1], 1, 6, shorter, root);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.PathLength.selector, 3, 4));
        verifier.verify(leaves[1], 1, 6, longer, root);
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.PathLength.selector, 3, 0));
        verifier.verify(root, 1, 6, new bytes32[](0), root);
    }

    function test_RejectsSwappedSiblings() public view {
        bytes32[] memory leaves = tree(8, 0);
        bytes32[] memory path = ReferenceTree.path(leaves, 3);
        (path[0], path[1]) = (path[1], path[0]);
        assertRejected(leaves[3], 3, 8, path, ReferenceTree.root(leaves));
    }

    // In a tree of 2³² leaves only the path is long: the siblings are invented, and the root follows from them.
    function testFuzz_TheLargestTree(uint32 index, uint256 seed) public view {
        bytes32[] memory path = tree(32, seed);
        bytes32 leaf = sha256(abi.encode(seed));
        bytes32 root = leaf;
        for (uint256 i = 0; i < 32; ++i) {
            bool isRight = (index >> i) & 1 == 1;
            root = sha256(isRight ? abi.encodePacked(hex"01", path[i], root) : abi.encodePacked(hex"01", root, path[i]));
        }
        verifier.verify(leaf, index, 1 << 32, path, root);
        assertRejected(leaf, uint256(index) ^ 1, 1 << 32, path, root);
    }

    // Any position, any size up to 2³², any path, whether they fit or not: the verdict is that of the RFC's algorithm.
    function testFuzz_AgreesWithTheRfc(uint32 index_, uint32 size_, uint8 shape, uint256 seed) public view {
        uint256 size = (uint256(size_) >> (shape % 32)) + (shape & 1);
        uint256 index = shape & 2 == 0 ? uint256(index_) % (size + 1) : size - (size == 0 ? 0 : 1);
        bytes32[] memory path = tree(seed % 35, seed);
        if (shape & 4 == 0 && index < size) path = tree(fittingLength(index, size), seed);
        bytes32 leaf = sha256(abi.encode(seed));
        (bool fits, bytes32 root) = ReferenceTree.walk(leaf, index, size, path);
        try verifier.verify(leaf, index, size, path, root) {
            assertTrue(fits, "what is no proof was taken for one");
        } catch {
            assertTrue(!fits, "a proof was rejected");
        }
    }

    // One hash for each level with a sibling: the bits of the index below the first difference from the last leaf, and
    // the ones above.
    function fittingLength(uint256 index, uint256 size) private pure returns (uint256 length) {
        for (uint256 last = size - 1; last != 0; last >>= 1) {
            if (index & 1 == 1 || index != last) ++length;
            index >>= 1;
        }
    }

    // A hash that could not be computed is rejected as such, not replaced by the content of memory.
    function test_WantOfGasIsNamed() public view {
        bytes memory entry = new bytes(100_000);
        uint256 least = 0; // not enough
        uint256 enough = 1_000_000;
        while (enough - least > 1) {
            uint256 gas_ = (least + enough) / 2;
            try verifier.leafHash{gas: gas_}(entry) {
                enough = gas_;
            } catch {
                least = gas_;
            }
        }
        try verifier.leafHash{gas: least}(entry) {
            assertTrue(false, "enough gas, after all");
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), Rfc9162.Sha256Failed.selector, "error");
        }
    }

    // On a chain without the precompile its address has no code: the call succeeds and returns nothing.
    function test_WithoutThePrecompileNothingIsProved() public {
        vm.mockCall(address(2), "", "");
        vm.expectRevert(abi.encodeWithSelector(Rfc9162.Sha256Failed.selector));
        verifier.leafHash("entry");
        vm.clearMockedCalls();
        assertEq(verifier.leafHash("entry"), sha256(bytes.concat(hex"00", "entry")), "with it");
    }

    // With any amount of gas, a call returns the right answer or reverts: a hash that was not computed is never used.
    function testFuzz_WantOfGasProvesNothing(uint16 gas_) public view {
        bytes32[] memory leaves = tree(8, 0);
        bytes32[] memory path = ReferenceTree.path(leaves, 3);
        bytes32 root = ReferenceTree.root(leaves);
        path[2] ^= bytes32(uint256(1));
        try verifier.verify{gas: uint256(gas_) % 20_000}(leaves[3], 3, 8, path, root) {
            assertTrue(false, "what is no proof was taken for one");
        } catch (bytes memory reason) {
            // No error data if there was no gas left for it.
            bytes4 error_ = bytes4(reason);
            bool named = error_ == Rfc9162.RootMismatch.selector || error_ == Rfc9162.Sha256Failed.selector;
            assertTrue(named || reason.length == 0, "rejected by name");
        }
    }

    function assertRejected(bytes32 leaf, uint256 index, uint256 size, bytes32[] memory path, bytes32 root)
        private
        view
    {
        try verifier.verify(leaf, index, size, path, root) {
            assertTrue(false, "what is no proof was taken for one");
        } catch (bytes memory reason) {
            bytes4 error_ = bytes4(reason);
            assertTrue(
                error_ == Rfc9162.RootMismatch.selector || error_ == Rfc9162.PathLength.selector, "rejected by name"
            );
        }
    }

    function tree(uint256 size, uint256 seed) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = sha256(abi.encode(seed, i));
        }
    }
}
