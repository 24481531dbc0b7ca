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
    /// @notice An entry and its place in a tree.
    struct Leaf {
        bytes entry;
        uint256 index; // from 0
        bytes32[] path; // sibling hashes, from the entry up to the root
    }

    /// @notice Reverts unless the partition entry is in the round's final tree.
    /// @param consensus The contract of the round.
    /// @param number A final round.
    /// @param partition Its place is in the round tree.
    function verifyPartition(IOepConsensus consensus, uint32 number, Leaf calldata partition) external view {
        Entries.requirePartition(partition.entry);
        _verifyInFinal(consensus, number, partition);
    }

    /// @notice Reverts unless the site entry is in the partition's tree, and the partition entry in the round's final
    /// tree.
    /// @param consensus The contract of the round.
    /// @param number A final round.
    /// @param site Its place is in the partition's tree.
    /// @param partition Its place is in the round tree.
    function verifySite(IOepConsensus consensus, uint32 number, Leaf calldata site, Leaf calldata partition)
        external
        view
    {
        Entries.requireSite(site.entry);
        (bytes32 root, uint32 sites) = Entries.partition(partition.entry);
        _verify(site, sites, root);
        _verifyInFinal(consensus, number, partition);
    }

    function _verifyInFinal(IOepConsensus consensus, uint32 number, Leaf calldata partition) private view {
        (bytes32 root, uint32 partitions) = consensus.finalResult(number);
        _verify(partition, partitions, root);
    }

    function _verify(Leaf calldata leaf, uint256 size, bytes32 root) private view {
        Rfc9162.verify(Rfc9162.leafHash(leaf.entry), leaf.index, size, leaf.path, root);
    }
}
