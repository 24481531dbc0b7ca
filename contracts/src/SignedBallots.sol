// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

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
    bytes32 private constant NAME_HASH = keccak256("OepConsensus");
    bytes32 private constant VERSION_HASH = keccak256("1");
    // Half of the order of secp256k1. A signature with a larger s has a twin with a smaller one, which is also valid.
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The signed message of a round, without the ballot. A batch fills in one ballot after another.
    /// @return Bytes for {digest} and {recover}, which write into them.
    function form(uint32 round) internal view returns (bytes memory) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        // Message and digest, with space for ballot and custody root, and for the message's hash.
        return abi.encodePacked(BALLOT_TYPE, uint256(round), bytes32(0), bytes32(0), hex"1901", domain, bytes32(0));
    }

    /// @notice The hash that a signer signs: EIP-712's hash of the message.
    /// @param form_ What {form} returned for the round.
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

    /// @notice Reads a signed ballot and recovers its signer.
    /// @param packed Signed ballots, one after another; more of them than `entry`.
    /// @param entry Position of the ballot, from 0.
    /// @param form_ What {form} returned for the round.
    /// @return ballot The vote: below 6 the reason of an abstention, or zero, which is no vote.
    /// @return custody Zero in an abstention.
    /// @return signer The account that signed it for this round; zero if the signature is invalid, and an arbitrary
    /// account if it was made for something else.
    function recover(bytes calldata packed, uint256 entry, bytes memory form_)
        internal
        view
        returns (bytes32 ballot, bytes32 custody, address signer)
    {
        // {digest}, and ecrecover without copies of its arguments: every relayed vote pays for this. The words of
        // calldata are read without a slice's checks, since the caller has checked the length.
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let start := add(packed.offset, mul(entry, LENGTH))
            ballot := calldataload(start)
            custody := calldataload(add(start, 32))
            let vs := calldataload(add(start, 96))
            let s := and(vs, not(shl(255, 1)))
            mstore(add(form_, 96), ballot)
            mstore(add(form_, 128), custody)
            mstore(add(form_, 194), keccak256(add(form_, 32), 128))
            let arguments := mload(0x40)
            mstore(arguments, keccak256(add(form_, 160), 66))
            mstore(add(arguments, 32), add(27, shr(255, vs)))
            mstore(add(arguments, 64), calldataload(add(start, 64)))
            mstore(add(arguments, 96), s)
            mstore(0, 0) // what stays there where the precompile recovers nobody
            let done := staticcall(gas(), 1, arguments, 128, 0, 32)
            signer := mul(mload(0), and(done, iszero(gt(s, LARGEST_S))))
        }
    }
}
