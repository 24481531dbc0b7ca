// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Entries} from "./Entries.sol";
import {IOepConsensus} from "./IOepConsensus.sol";
import {Rfc9162} from "./Rfc9162.sol";

/// @title Inclusion of partition and site entries in final rounds
/// @notice For contracts that act on a limit. One deployment serves every consensus contract of a chain: it stores
/// nothing, and reads root and tree size from the contract that the caller names. A proof proves as much as that
/// contract can be trusted: name the one that you know, and never one that somebody hands you with the proof.
/// @dev Every function reverts on anything that does not prove inclusion.
contract OepInclusion {
    /// @notice Reverts unless the partition entry is in the round's final tree.
    /// @param consensus The contract of the round.
    /// @param number A final round.
    /// @param partitionEntry The entry's bytes.
    /// @param index The entry's position in the round tree, from 0.
    /// @param path Sibling hashes from the entry up to the root.
    function verifyPartition(
        IOepConsensus consensus,
        uint32 number,
        bytes calldata partitionEntry,
        uint256 index,
        bytes32[] calldata path
    ) external view {
        Entries.requirePartition(partitionEntry);
        _verifyInFinal(consensus, number, partitionEntry, index, path);
    }

    /// @notice Reverts unless the site entry is in the partition's tree, and the partition entry in the round's final
    /// tree.
    /// @param consensus The contract of the round.
    /// @param number A final round.
    /// @param siteEntry The site entry's bytes.
    /// @param siteIndex Its position in the partition's tree, from 0.
    /// @param sitePath Sibling hashes from the site entry up to the partition's root.
    /// @param partitionEntry The partition entry's bytes.
    /// @param index Its position in the round tree, from 0.
    /// @param path Sibling hashes from the partition entry up to the round's root.
    function verifySite(
        IOepConsensus consensus,
        uint32 number,
        bytes calldata siteEntry,
        uint256 siteIndex,
        bytes32[] calldata sitePath,
        bytes calldata partitionEntry,
        uint256 index,
        bytes32[] calldata path
    ) external view {
        Entries.requireSite(siteEntry);
        (bytes32 root, uint32 sites) = Entries.partition(partitionEntry);
        Rfc9162.verify(Rfc9162.leafHash(siteEntry), siteIndex, sites, sitePath, root);
        _verifyInFinal(consensus, number, partitionEntry, index, path);
    }

    function _verifyInFinal(
        IOepConsensus consensus,
        uint32 number,
        bytes calldata partitionEntry,
        uint256 index,
        bytes32[] calldata path
    ) private view {
        (bytes32 root, uint32 partitions) = consensus.finalResult(number);
        Rfc9162.verify(Rfc9162.leafHash(partitionEntry), index, partitions, path, root);
    }
}
