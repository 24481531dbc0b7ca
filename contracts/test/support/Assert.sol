// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev Assertions with both values in their message. The runner counts a test that reverts as failed.
abstract contract Assert {
    error NotEqual(string what, uint256 expected, uint256 received);
    error NotEqualBytes(string what, bytes expected, bytes received);
    error NotTrue(string what);

    function assertEq(uint256 received, uint256 expected, string memory what) internal pure {
        if (received != expected) revert NotEqual(what, expected, received);
    }

    function assertEq(bytes32 received, bytes32 expected, string memory what) internal pure {
        if (received != expected) revert NotEqualBytes(what, abi.encode(expected), abi.encode(received));
    }

    function assertEq(address received, address expected, string memory what) internal pure {
        if (received != expected) revert NotEqualBytes(what, abi.encode(expected), abi.encode(received));
    }

    function assertEq(bytes memory received, bytes memory expected, string memory what) internal pure {
        if (keccak256(received) != keccak256(expected)) revert NotEqualBytes(what, expected, received);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }
}
