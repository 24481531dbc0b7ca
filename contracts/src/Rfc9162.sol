// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Inclusion in a SHA-256 Merkle tree of RFC 9162 §2.1
/// @notice A leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right); a node without a sibling moves up
/// unchanged. A proof is bound to its position: {verify} uses the leaf's index and the tree's size in every step, as in
/// §2.1.3.2.
/// @dev Internal functions only. Anything that does not prove inclusion reverts, malformed input too.
library Rfc9162 {
    // Assembly for the preimages and the precompile only, see _freeMemory; fuzzing compares it with the RFC.
    // slither-disable-start assembly

    /// @notice The leaf's index lies outside the tree.
    error IndexOutOfRange(uint256 size, uint256 received);
    /// @notice The path does not have the length that index and size require.
    error PathLength(uint256 expected, uint256 received);
    /// @notice The path leads to another root.
    error RootMismatch(bytes32 expected, bytes32 received);
    /// @notice The hash could not be computed: the call had too little gas, or the chain has no such precompile.
    error Sha256Failed();

    /// @notice SHA-256(0x00 ‖ entry).
    function leafHash(bytes calldata entry) internal view returns (bytes32) {
        uint256 preimage = _freeMemory();
        assembly ("memory-safe") {
            mstore8(preimage, 0)
            calldatacopy(add(preimage, 1), entry.offset, entry.length)
        }
        return _sha256(preimage, entry.length + 1);
    }

    /// @notice Reverts unless `leaf` is at `index` of the tree of `size` leaves with this `root`.
    /// @param leaf From {leafHash}, never from the prover, who could pass an inner node off as a leaf.
    /// @param index From 0.
    /// @param size Number of leaves, never from the prover: a path may prove positions in trees of several sizes.
    /// @param path Sibling hashes, from the leaf up.
    function verify(bytes32 leaf, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root) internal view {
        if (index >= size) revert IndexOutOfRange(size, index);
        // `node` and `last` are the positions, on the current level, of the path's node and of the level's last one.
        uint256 node = index;
        uint256 last = size - 1;
        bytes32 hash = leaf;
        for (uint256 i = 0; i < path.length; ++i) {
            if (last == 0) revert PathLength(pathLength(index, size), path.length);
            // A last node with an even position has no sibling here: it moves up until it has one.
            while (node == last && node & 1 == 0) {
                node >>= 1;
                last >>= 1;
            }
            hash = node & 1 == 1 ? _nodeHash(path[i], hash) : _nodeHash(hash, path[i]);
            node >>= 1;
            last >>= 1;
        }
        if (last != 0) revert PathLength(pathLength(index, size), path.length);
        if (hash != root) revert RootMismatch(root, hash);
    }

    /// @notice The length of the path of leaf `index` in a tree of `size` leaves.
    /// @param index Below `size`.
    /// @return length One for each level on which the path's node has a sibling.
    function pathLength(uint256 index, uint256 size) internal pure returns (uint256 length) {
        for (uint256 last = size - 1; last != 0; last >>= 1) {
            if (index != last || index & 1 == 1) ++length;
            index >>= 1;
        }
    }

    function _nodeHash(bytes32 left, bytes32 right) private view returns (bytes32) {
        uint256 preimage = _freeMemory();
        assembly ("memory-safe") {
            mstore8(preimage, 1)
            mstore(add(preimage, 1), left)
            mstore(add(preimage, 33), right)
        }
        return _sha256(preimage, 65);
    }

    // Preimages are written above the used memory and not allocated: Solidity's own sha256(bytes.concat(…)) allocates
    // memory for each and costs three times as much.
    function _freeMemory() private pure returns (uint256 start) {
        assembly ("memory-safe") {
            start := mload(0x40)
        }
    }

    function _sha256(uint256 start, uint256 length) private view returns (bytes32 hash) {
        bool done;
        assembly ("memory-safe") {
            done := staticcall(gas(), 2, start, length, 0, 32) // the precompile
            done := and(done, eq(returndatasize(), 32))
            hash := mload(0)
        }
        // The call fails if there is too little gas, and returns nothing on a chain without the precompile; the
        // previous content of memory would then be used as the hash.
        if (!done) revert Sha256Failed();
    }
    // slither-disable-end assembly
}
