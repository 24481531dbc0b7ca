// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev RFC 9162 §2.1.1 and §2.1.3.1 as recursive definitions, sharing nothing with the library under test, which goes
/// from the leaf up.
library ReferenceTree {
    function leaf(bytes memory entry) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0), entry));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return _root(leaves, 0, leaves.length);
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        return _path(leaves, index, 0, leaves.length);
    }

    // §2.1.3.2, step by step with its names: the root that a path leads to, and whether path and position fit.
    function walk(bytes32 leafHash, uint256 leafIndex, uint256 treeSize, bytes32[] memory inclusionPath)
        internal
        pure
        returns (bool fits, bytes32 r)
    {
        r = leafHash;
        if (leafIndex >= treeSize) return (false, r); // 1
        uint256 fn = leafIndex; // 2
        uint256 sn = treeSize - 1;
        for (uint256 i = 0; i < inclusionPath.length; ++i) {
            bytes32 p = inclusionPath[i]; // 4
            if (sn == 0) return (false, r); // 4.1
            if (fn & 1 == 1 || fn == sn) {
                r = sha256(abi.encodePacked(uint8(1), p, r)); // 4.2
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                r = sha256(abi.encodePacked(uint8(1), r, p));
            }
            fn >>= 1; // 4.3
            sn >>= 1;
        }
        fits = sn == 0; // 5
    }

    function _root(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 middle = from + _split(to - from);
        return sha256(abi.encodePacked(uint8(1), _root(leaves, from, middle), _root(leaves, middle, to)));
    }

    function _path(bytes32[] memory leaves, uint256 index, uint256 from, uint256 to)
        private
        pure
        returns (bytes32[] memory found)
    {
        if (to - from == 1) return new bytes32[](0);
        uint256 middle = from + _split(to - from);
        bool isLeft = index < middle;
        bytes32[] memory below = isLeft ? _path(leaves, index, from, middle) : _path(leaves, index, middle, to);
        found = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; ++i) {
            found[i] = below[i];
        }
        found[below.length] = isLeft ? _root(leaves, middle, to) : _root(leaves, from, middle);
    }

    // The largest power of two smaller than n.
    function _split(uint256 n) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }
}
