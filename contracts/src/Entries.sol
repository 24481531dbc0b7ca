// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The leaves of a round's two trees, as far as the contract reads them
/// @notice Layout of rules version 1 (docs/spec): a partition entry is
/// "OEP1" ‖ 0x02 ‖ aggregator pseudonym (32) ‖ partition root (32) ‖ site count (u32, big-endian); a site entry begins
/// with "OEP1" ‖ 0x01, and the contract does not read the rest of it.
/// @dev The tag of five bytes keeps an entry of one tree from being passed off as one of the other.
library Entries {
    bytes5 internal constant SITE_TAG = hex"4f45503101";
    bytes5 internal constant PARTITION_TAG = hex"4f45503102";
    uint256 internal constant PARTITION_LENGTH = 73;

    uint256 private constant PARTITION_ROOT_AT = 37;
    uint256 private constant SITE_COUNT_AT = 69;

    /// @notice The entry is not of the expected kind.
    error EntryTag(bytes5 expected, bytes5 received);
    /// @notice The entry does not have the length of its kind.
    error EntryLength(uint256 expected, uint256 received);

    /// @notice Reads a partition entry, and reverts for anything else.
    /// @return root Root of the tree of the partition's sites.
    /// @return sites Number of leaves of that tree.
    function partition(bytes calldata entry) internal pure returns (bytes32 root, uint32 sites) {
        requirePartition(entry);
        root = bytes32(entry[PARTITION_ROOT_AT:SITE_COUNT_AT]);
        sites = uint32(bytes4(entry[SITE_COUNT_AT:]));
    }

    /// @notice Reverts unless the entry is a partition entry.
    function requirePartition(bytes calldata entry) internal pure {
        if (entry.length != PARTITION_LENGTH) revert EntryLength(PARTITION_LENGTH, entry.length);
        _requireTag(PARTITION_TAG, entry);
    }

    /// @notice Reverts unless the entry is a site entry.
    function requireSite(bytes calldata entry) internal pure {
        _requireTag(SITE_TAG, entry);
    }

    function _requireTag(bytes5 expected, bytes calldata entry) private pure {
        // A shorter entry is padded with zeros by the conversion, and no tag ends in zero.
        bytes5 received = bytes5(entry);
        if (received != expected) revert EntryTag(expected, received);
    }
}
