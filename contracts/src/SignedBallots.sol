// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Ballots signed for somebody else to bring
/// @notice A signed ballot is 96 bytes: ballot (32) ‖ r (32) ‖ yParityAndS (32), the signature in the compact form of
/// ERC-2098. What is signed is the EIP-712 message Ballot(uint64 round,bytes32 ballot) in the domain with the name
/// "OepConsensus", the version "1", the chain and this contract. So a signature is good for one ballot in one round of
/// one contract on one chain, and for its signer alone.
/// @dev Internal functions only. The domain is worked out anew in each call: after a fork of the chain the signatures
/// of the other branch are worth nothing on this one.
library SignedBallots {
    /// @notice Length of a signed ballot.
    uint256 internal constant LENGTH = 96;
    /// @notice The domain's name.
    string internal constant NAME = "OepConsensus";
    /// @notice The domain's version.
    string internal constant VERSION = "1";

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant BALLOT_TYPE = keccak256("Ballot(uint64 round,bytes32 ballot)");
    // Half of the order of secp256k1. A signature with a larger s has a twin with a smaller one, which is as valid.
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The signature of this entry is none: no address comes of it, or it has a twin.
    error InvalidSignature(uint256 entry);

    /// @notice The hash of the domain.
    /// @return EIP-712's domainSeparator.
    function domain() internal view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256(bytes(NAME)), keccak256(bytes(VERSION)), block.chainid, address(this))
        );
    }

    /// @notice What a signer signs.
    /// @param domain_ The hash of the domain.
    /// @param round The round.
    /// @param ballot The ballot.
    /// @return hash EIP-712's hash of the message.
    function digest(bytes32 domain_, uint32 round, bytes32 ballot) internal pure returns (bytes32 hash) {
        bytes32 ballotType = BALLOT_TYPE;
        // Written above the memory in use and not kept: a batch would take 300 bytes of new memory for each ballot.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, ballotType)
            mstore(add(free, 32), round)
            mstore(add(free, 64), ballot)
            let message := keccak256(free, 96)
            mstore(free, hex"1901")
            mstore(add(free, 2), domain_)
            mstore(add(free, 34), message)
            hash := keccak256(free, 66)
        }
    }

    /// @notice Reads a signed ballot, and reverts unless somebody signed it.
    /// @param packed Signed ballots, one after another.
    /// @param entry Which of them, from 0.
    /// @param domain_ The hash of the domain.
    /// @param round The round.
    /// @return ballot The ballot.
    /// @return signer Who signed it for this round; an account that nobody knows, where the signature was made for
    /// something else.
    function read(bytes calldata packed, uint256 entry, bytes32 domain_, uint32 round)
        internal
        pure
        returns (bytes32 ballot, address signer)
    {
        bytes32 r;
        uint256 vs;
        assembly ("memory-safe") {
            let start := add(packed.offset, mul(entry, LENGTH))
            ballot := calldataload(start)
            r := calldataload(add(start, 32))
            vs := calldataload(add(start, 64))
        }
        uint256 s = vs & (type(uint256).max >> 1);
        if (s > LARGEST_S) revert InvalidSignature(entry);
        signer = ecrecover(digest(domain_, round, ballot), uint8(27 + (vs >> 255)), r, bytes32(s));
        if (signer == address(0)) revert InvalidSignature(entry);
    }
}
