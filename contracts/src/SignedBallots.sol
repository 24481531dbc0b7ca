// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "./IOepConsensus.sol";

/// @title Ballots signed for somebody else to cast
/// @notice A signed ballot is 128 bytes: ballot (32) ‖ custody root (32) ‖ r (32) ‖ yParityAndS (32), the signature in
/// the compact form of ERC-2098. The signed message is EIP-712's Ballot(uint64 round,bytes32 ballot,bytes32 custody) in
/// the domain with the name "OepConsensus", the version "1", the chain and this contract. So a signature is valid for
/// one ballot in one round of one contract on one chain, and for its signer alone.
/// @dev Internal functions only. The domain is computed in each call: after a fork of the chain, signatures of the
/// other branch are invalid on this one.
library SignedBallots {
    uint256 internal constant LENGTH = 128;
    string internal constant NAME = "OepConsensus";
    string internal constant VERSION = "1";

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant BALLOT_TYPE = keccak256("Ballot(uint64 round,bytes32 ballot,bytes32 custody)");
    // Half of the order of secp256k1. A signature with a larger s has a twin with a smaller one, which is also valid.
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The signed message of a round, without the ballot. A batch fills in one ballot after another.
    /// @return A form for {digest} and {read}.
    function form(uint32 round) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256(bytes(NAME)), keccak256(bytes(VERSION)), block.chainid, address(this))
        );
        // Message and digest, with space for ballot and custody root, and for the message's hash.
        return abi.encodePacked(BALLOT_TYPE, uint256(round), bytes32(0), bytes32(0), hex"1901", domain, bytes32(0));
    }

    /// @notice The hash that a signer signs: EIP-712's hash of the message.
    /// @param form_ The round's form.
    function digest(bytes memory form_, bytes32 ballot, bytes32 custody) internal pure returns (bytes32 hash) {
        // Fills in the form's blanks; a test compares it with an independent EIP-712 implementation.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            mstore(add(form_, 96), ballot)
            mstore(add(form_, 128), custody)
            mstore(add(form_, 194), keccak256(add(form_, 32), 128))
            hash := keccak256(add(form_, 160), 66)
        }
    }

    /// @notice Reads a signed ballot, and reverts if its signature is invalid.
    /// @param packed Signed ballots, one after another; more of them than `entry`.
    /// @param entry Position of the ballot, from 0.
    /// @param form_ The round's form.
    /// @return ballot The ballot.
    /// @return custody Its custody root.
    /// @return signer The account that signed it for this round; an arbitrary account if the signature was made for
    /// something else.
    function read(bytes calldata packed, uint256 entry, bytes memory form_)
        internal
        pure
        returns (bytes32 ballot, bytes32 custody, address signer)
    {
        bytes32 r;
        uint256 vs;
        // Four words of calldata, without a slice's checks for each: the caller has checked the length.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let start := add(packed.offset, mul(entry, LENGTH))
            ballot := calldataload(start)
            custody := calldataload(add(start, 32))
            r := calldataload(add(start, 64))
            vs := calldataload(add(start, 96))
        }
        uint256 s = vs & (type(uint256).max >> 1);
        if (s > LARGEST_S) revert IOepConsensus.InvalidSignature(entry);
        signer = ecrecover(digest(form_, ballot, custody), uint8(27 + (vs >> 255)), r, bytes32(s));
        if (signer == address(0)) revert IOepConsensus.InvalidSignature(entry);
    }
}
