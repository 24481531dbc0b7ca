// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Rfc9162} from "../../src/Rfc9162.sol";

/// @dev Gives the library's internal functions an address that can revert.
contract Verifier {
    function verify(bytes32 leaf, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root) external view {
        Rfc9162.verify(leaf, index, size, path, root);
    }

    function leafHash(bytes calldata entry) external view returns (bytes32) {
        return Rfc9162.leafHash(entry);
    }
}
