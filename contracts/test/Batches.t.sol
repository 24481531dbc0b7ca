// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Random batches against the rules of a relayed vote, written out one entry and one rule after another. The
/// contract has two paths through an entry, one of them without branches: together they must do the same.
contract BatchesTest is Fixture {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant ACCOUNTS = 8;
    uint8 private constant MEMBERS = 5;

    struct Entry {
        uint256 who;
        bytes32 ballot;
        bytes32 custody;
        bool isInvalid;
    }

    struct Expected {
        bytes32 hash;
        uint128 before; // who had voted
        uint128 voted;
        bytes32 reasons; // of abstentions, a byte for each index
        bytes rejection;
    }

    // Signers 0 to 4 vote in the round, though 1 has a successor and 2 was removed meanwhile; 5 came later, 6 is the
    // successor, 7 a stranger.
    function testFuzz_ABatchFollowsTheRulesEntryByEntry(uint8 directly, uint256[] calldata seeds) public {
        uint32 round = openWith(MEMBERS);
        addWorkers(5, 1);
        vm.prank(operator(1));
        consensus.rotateSigner(signer(6));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(2));
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if ((directly >> i) & directly >> 3 & 1 == 1) vote(round, i, ROOT);
        }
        uint256 count = seeds.length % 7;
        Entry[] memory entries = new Entry[](count);
        bytes memory batch;
        for (uint256 k = 0; k < count; ++k) {
            entries[k] = entryOf(round, uint256(keccak256(abi.encode(seeds[k]))));
            batch = bytes.concat(batch, packed(round, entries[k]));
        }
        Expected memory expected = expectedOf(round, entries);
        bytes32 before = snapshot(round);
        if (expected.rejection.length != 0) {
            vm.expectRevert(expected.rejection);
            consensus.castBallots(round, batch);
            assertEq(snapshot(round), before, "round");
            return;
        }
        expectEvents(round, entries, expected.before);
        consensus.castBallots(round, batch);
        assertEq(consensus.round(round).voted, expected.voted, "voted");
        assertEq(consensus.round(round).ballotsHash, expected.hash, "ballots hash");
        for (uint8 i = 0; i < MEMBERS; ++i) {
            assertEq(uint256(abstention(round, i)), uint8(expected.reasons[i]), "reason");
        }
    }

    // Three of four entries are of the first five, three of four with a vote that can be cast, most with a signature.
    function entryOf(uint32 round, uint256 bits) private view returns (Entry memory entry) {
        entry.who = bits % 4 == 0 ? (bits >> 2) % ACCOUNTS : (bits >> 2) % MEMBERS;
        entry.isInvalid = (bits >> 16) % 16 == 0;
        uint256 kind = (bits >> 24) % 16;
        if (kind < 10) entry.ballot = consensus.ballotFor(round, uint8(entry.who), ROOT, PARTITIONS);
        else if (kind == 10) entry.ballot = bytes32(type(uint256).max);
        else entry.ballot = bytes32((bits >> 32) % 8);
        bool isAbstention = entry.ballot != 0 && uint256(entry.ballot) < 6;
        bool isOdd = (bits >> 40) % 8 == 0;
        if (isAbstention == isOdd) entry.custody = (bits >> 48) % 2 == 0 ? CUSTODY : bytes32(uint256(1));
    }

    function packed(uint32 round, Entry memory entry) private view returns (bytes memory) {
        if (!entry.isInvalid) return signed(round, entry.who, entry.ballot, entry.custody);
        // An s in the upper half, which somebody would be recovered from.
        return abi.encodePacked(entry.ballot, entry.custody, uint256(1), HALF_ORDER + 1);
    }

    function expectedOf(uint32 round, Entry[] memory entries) private view returns (Expected memory expected) {
        IOepConsensus.RoundView memory view_ = consensus.round(round);
        (expected.hash, expected.before, expected.voted) = (view_.ballotsHash, view_.voted, view_.voted);
        for (uint256 k = 0; k < entries.length; ++k) {
            Entry memory entry = entries[k];
            expected.rejection = rejectionOf(entry, k, view_.epoch);
            if (expected.rejection.length != 0) return expected;
            uint128 bit = uint128(1) << uint8(entry.who);
            if (expected.before & bit != 0) continue;
            if (expected.voted & bit != 0) {
                expected.rejection =
                    abi.encodeWithSelector(IOepConsensus.DuplicateEntry.selector, k, operator(entry.who));
                return expected;
            }
            expected.voted |= bit;
            if (uint256(entry.ballot) < 6) expected.reasons |= bytes32(uint256(entry.ballot) << 8 * (31 - entry.who));
            else expected.hash = keccak256(abi.encodePacked(expected.hash, uint8(entry.who), entry.ballot));
        }
        if (expected.voted == expected.before) {
            expected.rejection = abi.encodeWithSelector(IOepConsensus.NothingCast.selector, round);
        }
    }

    // Why an entry rejects its batch, whoever has voted; empty where it does not.
    function rejectionOf(Entry memory entry, uint256 k, uint32 epoch) private pure returns (bytes memory) {
        if (entry.isInvalid) return abi.encodeWithSelector(IOepConsensus.InvalidSignature.selector, k);
        if (entry.ballot == 0) return abi.encodeWithSelector(IOepConsensus.Missing.selector, "ballot");
        bool isAbstention = uint256(entry.ballot) < 6;
        if (isAbstention && entry.custody != 0) {
            return abi.encodeWithSelector(IOepConsensus.CustodyOfAbstention.selector, bytes32(0), entry.custody);
        }
        if (!isAbstention && entry.custody == 0) {
            return abi.encodeWithSelector(IOepConsensus.Missing.selector, "custody");
        }
        if (entry.who >= MEMBERS) {
            return abi.encodeWithSelector(IOepConsensus.SignerNotInElectorate.selector, k, signer(entry.who), epoch);
        }
        return "";
    }

    function expectEvents(uint32 round, Entry[] memory entries, uint128 before) private {
        for (uint256 k = 0; k < entries.length; ++k) {
            Entry memory entry = entries[k];
            if ((before >> entry.who) & 1 == 1) continue;
            vm.expectEmit(address(consensus));
            if (uint256(entry.ballot) < 6) {
                emit IOepConsensus.Abstained(
                    round, operator(entry.who), IOepConsensus.Reason(uint8(uint256(entry.ballot)))
                );
            } else {
                emit IOepConsensus.BallotCast(round, operator(entry.who), entry.ballot, entry.custody);
            }
        }
    }
}
