// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Members, signers, policy, and the epochs that their changes begin.
contract ElectorateTest is Fixture {
    uint32 private constant NOT_ENDED = type(uint32).max;

    function test_BeginsWithAnEmptyFirstEpoch() public {
        assertEq(consensus.currentEpoch(), 1, "epoch");
        IOepConsensus.Terms memory terms = consensus.terms(1);
        assertEq(terms.memberCount, 0, "members");
        assertEq(terms.voteWindow, VOTE_WINDOW, "vote window");
        assertEq(terms.revealWindow, REVEAL_WINDOW, "reveal window");
        assertEq(terms.rulesVersion, 1, "rules");
        assertEq(consensus.electorate(1).length, 0, "electorate");
        rejectsCreation(address(0), policy(), abi.encodeWithSelector(IOepConsensus.Missing.selector, "account"));
        bytes memory window = abi.encodeWithSelector(IOepConsensus.InvalidWindow.selector, 7 days, 7 days + 1);
        rejectsCreation(ADMIN, IOepConsensus.Policy(2, 3, 7 days + 1, 1, 1), window);
    }

    function test_AddsABatchInOneEpoch() public {
        vm.expectEmit(address(consensus));
        emit IOepConsensus.WorkerAdded(2, operator(0), signer(0), 0);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EndpointChanged(operator(0), "http://worker");
        vm.expectEmit(address(consensus));
        emit IOepConsensus.WorkerAdded(2, operator(1), signer(1), 1);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EndpointChanged(operator(1), "http://worker");
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EpochStarted(2, 3, 2, 2);
        addWorkers(0, 2);
        assertEq(consensus.currentEpoch(), 2, "epoch");
        assertEq(consensus.signerOf(operator(1)), signer(1), "signer");
        assertEq(bytes(consensus.endpointOf(operator(1))), "http://worker", "endpoint");
        IOepConsensus.SeatView[] memory members = consensus.electorate(2);
        assertEq(members.length, 2, "members");
        assertSeat(members[1], 1, signer(1), 2, NOT_ENDED, 1);
        assertEq(consensus.electorate(1).length, 0, "the epoch before");
    }

    function test_OperatorMayBeItsOwnSigner() public {
        IOepConsensus.NewWorker[] memory list = newWorkers(0, 1);
        list[0].signer = operator(0);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        assertEq(consensus.signerOf(operator(0)), operator(0), "signer");
    }

    function test_RejectsBadWorkers() public {
        addWorkers(0, 1);
        bytes32 admin = consensus.DEFAULT_ADMIN_ROLE();
        IOepConsensus.NewWorker[] memory list = newWorkers(5, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, STRANGER, admin)
        );
        vm.prank(STRANGER);
        consensus.addWorkers(list);

        rejectsWorkers(
            new IOepConsensus.NewWorker[](0), abi.encodeWithSelector(IOepConsensus.Missing.selector, "workers")
        );
        list[0].operator = address(0);
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.Missing.selector, "operator"));
        list = newWorkers(5, 1);
        list[0].signer = address(0);
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.Missing.selector, "signer"));
        list = newWorkers(5, 1);
        list[0].operator = operator(0);
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.AlreadyMember.selector, operator(0), signer(0)));
        list = newWorkers(5, 1);
        list[0].signer = signer(0);
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(0), operator(0)));
        list = newWorkers(5, 2);
        list[1] = list[0];
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.AlreadyMember.selector, operator(5), signer(5)));
        list = newWorkers(5, 1);
        list[0].url = string(new bytes(201));
        rejectsWorkers(list, abi.encodeWithSelector(IOepConsensus.TextTooLong.selector, 200, 201));
        assertEq(consensus.currentEpoch(), 2, "epoch");
    }

    function test_HoldsAtMost128() public {
        addWorkers(0, 128);
        IOepConsensus.Terms memory terms = consensus.terms(2);
        assertEq(terms.members, type(uint128).max, "members");
        assertEq(terms.quorum, 86, "quorum");
        rejectsWorkers(newWorkers(200, 1), abi.encodeWithSelector(IOepConsensus.ElectorateFull.selector, 128));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(127));
        addWorkers(200, 1);
        assertEq(consensus.seatOf(signer(200)).index, 127, "the place that was left");
    }

    function test_RemovesAndReusesTheLowestIndex() public {
        addWorkers(0, 3);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.WorkerRemoved(3, operator(1), signer(1));
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EpochStarted(3, 5, 2, 2);
        vm.prank(ADMIN);
        consensus.removeWorker(operator(1));
        assertEq(consensus.signerOf(operator(1)), address(0), "live signer");
        assertSeat(consensus.seatOf(signer(1)), 1, signer(1), 2, 3, 1);
        addWorkers(3, 1);
        assertSeat(consensus.seatOf(signer(3)), 3, signer(3), 4, NOT_ENDED, 1);
        assertEq(consensus.electorate(2).length, 3, "epoch 2");
        assertEq(consensus.electorate(3).length, 2, "epoch 3");
        assertEq(consensus.electorate(4).length, 3, "epoch 4");
        assertEq(consensus.electorate(4)[1].operator, operator(3), "newest member, by index");
    }

    // Of several free indexes the lowest is used, and a batch fills them from below.
    function test_FillsTheGapsFromBelow() public {
        addWorkers(0, 5);
        for (uint256 i = 0; i < 4; i += 3) {
            vm.prank(ADMIN);
            consensus.removeWorker(operator(3 - i));
        }
        addWorkers(10, 3);
        assertEq(consensus.seatOf(signer(10)).index, 0, "first gap");
        assertEq(consensus.seatOf(signer(11)).index, 3, "second gap");
        assertEq(consensus.seatOf(signer(12)).index, 5, "the next");
        assertEq(consensus.terms(consensus.currentEpoch()).members, 63, "members");
    }

    function test_RemovalNeedsAMemberAndTheAdmin() public {
        addWorkers(0, 1);
        bytes32 admin = consensus.DEFAULT_ADMIN_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, operator(0), admin)
        );
        vm.prank(operator(0));
        consensus.removeWorker(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotMember.selector, operator(9)));
        vm.prank(ADMIN);
        consensus.removeWorker(operator(9));
        assertEq(consensus.currentEpoch(), 2, "epoch");
    }

    function test_AnOperatorComesBackWithAnotherSigner() public {
        addWorkers(0, 2);
        vm.prank(ADMIN);
        consensus.removeWorker(operator(0));
        rejectsWorkers(
            newWorkers(0, 1), abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(0), operator(0))
        );
        IOepConsensus.NewWorker[] memory list = newWorkers(0, 1);
        list[0].signer = signer(50);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        assertSeat(consensus.seatOf(signer(50)), 0, signer(50), 4, NOT_ENDED, 0);
        assertSeat(consensus.seatOf(signer(0)), 0, signer(0), 2, 3, 0);
    }

    function test_RotatesTheSigner() public {
        addWorkers(0, 2);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.SignerRotated(3, operator(1), signer(51), signer(1));
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EpochStarted(3, 3, 2, 2);
        vm.prank(operator(1));
        consensus.rotateSigner(signer(51));
        assertSeat(consensus.seatOf(signer(1)), 1, signer(1), 2, 3, 1);
        assertSeat(consensus.seatOf(signer(51)), 1, signer(51), 3, NOT_ENDED, 1);
        assertEq(consensus.electorate(3)[1].signer, signer(51), "epoch 3");
        assertEq(consensus.electorate(2)[1].signer, signer(1), "epoch 2");
    }

    function test_RotationNeedsTheOperatorAndAFreshSigner() public {
        addWorkers(0, 2);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotMember.selector, signer(0)));
        vm.prank(signer(0));
        consensus.rotateSigner(signer(50));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(1), operator(1)));
        vm.prank(operator(0));
        consensus.rotateSigner(signer(1));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.SignerUsed.selector, signer(0), operator(0)));
        vm.prank(operator(0));
        consensus.rotateSigner(signer(0));
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.Missing.selector, "signer"));
        vm.prank(operator(0));
        consensus.rotateSigner(address(0));
        assertEq(consensus.signerOf(operator(0)), signer(0), "signer");
        assertEq(consensus.currentEpoch(), 2, "epoch");
    }

    // The electorate of every epoch, after any sequence of events, compared with the seats one by one.
    function testFuzz_TheElectorateOfAnyEpoch(uint256 events) public {
        addWorkers(0, 4);
        for (uint256 i = 0; i < 20; ++i) {
            uint256 who = (events >> (4 * i)) & 3;
            address account = operator(who);
            bool isMember = consensus.signerOf(account) != address(0);
            if (isMember && (events >> (4 * i)) & 4 == 0) {
                vm.prank(account);
                consensus.rotateSigner(signer(100 + i));
            } else if (isMember) {
                vm.prank(ADMIN);
                consensus.removeWorker(account);
            } else {
                IOepConsensus.NewWorker[] memory list = newWorkers(who, 1);
                list[0].signer = signer(100 + i);
                vm.prank(ADMIN);
                consensus.addWorkers(list);
            }
        }
        IOepConsensus.SeatView[] memory all = new IOepConsensus.SeatView[](24);
        for (uint256 i = 0; i < 24; ++i) {
            all[i] = consensus.seatOf(signer(i < 4 ? i : 96 + i));
        }
        for (uint32 epoch = 1; epoch <= consensus.currentEpoch(); ++epoch) {
            IOepConsensus.SeatView[] memory members = consensus.electorate(epoch);
            uint256 expected = 0;
            for (uint256 k = 0; k < all.length; ++k) {
                if (all[k].since == 0 || epoch < all[k].since || epoch >= all[k].until) continue;
                ++expected;
                bool isThere = false;
                for (uint256 m = 0; m < members.length; ++m) {
                    if (members[m].signer == all[k].signer) isThere = true;
                }
                assertTrue(isThere, "a member is missing");
            }
            assertEq(members.length, expected, "members");
            for (uint256 m = 1; m < members.length; ++m) {
                assertTrue(members[m - 1].index < members[m].index, "by index");
            }
        }
    }

    function test_SetsThePolicy() public {
        addWorkers(0, 5);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EpochStarted(3, 31, 5, 4);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.PolicyChanged(3, 3, 4, 7, 8, 9);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(3, 4, 7, 8, 9));
        IOepConsensus.Terms memory terms = consensus.terms(3);
        assertEq(terms.voteWindow, 7, "vote window");
        assertEq(terms.revealWindow, 8, "reveal window");
        assertEq(terms.rulesVersion, 9, "rules");
        assertEq(terms.memberCount, 5, "members");
        assertEq(consensus.terms(2).voteWindow, VOTE_WINDOW, "the epoch before");
    }

    function test_RejectsABadPolicy() public {
        rejectsPolicy(
            IOepConsensus.Policy(2, 0, 1, 1, 1), abi.encodeWithSelector(IOepConsensus.InvalidQuorum.selector, 2, 0)
        );
        rejectsPolicy(
            IOepConsensus.Policy(4, 3, 1, 1, 1), abi.encodeWithSelector(IOepConsensus.InvalidQuorum.selector, 4, 3)
        );
        rejectsPolicy(
            IOepConsensus.Policy(2, 3, 0, 1, 1), abi.encodeWithSelector(IOepConsensus.InvalidWindow.selector, 7 days, 0)
        );
        rejectsPolicy(
            IOepConsensus.Policy(2, 3, 1, 7 days + 1, 1),
            abi.encodeWithSelector(IOepConsensus.InvalidWindow.selector, 7 days, 7 days + 1)
        );
        rejectsPolicy(
            IOepConsensus.Policy(2, 3, 1, 1, 0), abi.encodeWithSelector(IOepConsensus.Missing.selector, "rulesVersion")
        );
        bytes32 admin = consensus.DEFAULT_ADMIN_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, GUARDIAN, admin)
        );
        vm.prank(GUARDIAN);
        consensus.setPolicy(policy());
        assertEq(consensus.currentEpoch(), 1, "epoch");
    }

    function test_AWindowOfExactlySevenDaysIsAllowed() public {
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(2, 3, 7 days, 7 days, 1));
        IOepConsensus.Terms memory terms = consensus.terms(2);
        assertEq(terms.voteWindow, 7 days, "vote window");
        assertEq(terms.revealWindow, 7 days, "reveal window");
        rejectsPolicy(
            IOepConsensus.Policy(2, 3, 7 days + 1, 7 days, 1),
            abi.encodeWithSelector(IOepConsensus.InvalidWindow.selector, 7 days, 7 days + 1)
        );
    }

    function test_ATextOfExactly200BytesIsAllowed() public {
        string memory text = string(new bytes(200));
        IOepConsensus.NewWorker[] memory list = newWorkers(0, 1);
        list[0].url = text;
        vm.prank(ADMIN);
        consensus.addWorkers(list);
        assertEq(bytes(consensus.endpointOf(operator(0))), bytes(text), "url of a new worker");
        vm.prank(operator(0));
        consensus.setEndpoint("https://elsewhere");
        vm.prank(operator(0));
        consensus.setEndpoint(text);
        assertEq(bytes(consensus.endpointOf(operator(0))), bytes(text), "endpoint");
        uint32 round = open();
        vm.prank(REQUESTER);
        consensus.cancelRound(round, text);
        assertPhase(round, IOepConsensus.Phase.Cancelled);
    }

    function testFuzz_QuorumIsTheShareRoundedUpAndAStrictMajority(uint8 members, uint8 numerator, uint8 denominator)
        public
    {
        uint256 n = uint256(members) % 128 + 1;
        vm.assume(denominator != 0 && numerator <= denominator);
        addWorkers(0, n);
        vm.prank(ADMIN);
        consensus.setPolicy(IOepConsensus.Policy(numerator, denominator, 1, 1, 1));
        uint256 quorum = consensus.terms(3).quorum;
        assertTrue(2 * quorum > n, "strict majority");
        assertTrue(quorum <= n, "reachable");
        assertTrue(quorum * denominator >= n * numerator, "share");
        bool oneLessWouldDo = 2 * (quorum - 1) > n && (quorum - 1) * denominator >= n * numerator;
        assertTrue(!oneLessWouldDo, "no more than needed");
    }

    function test_TwoThirdsByTheBook() public {
        uint8[7] memory members = [1, 2, 3, 5, 9, 21, 100];
        uint8[7] memory quorums = [1, 2, 2, 4, 6, 14, 67];
        uint256 have = 0;
        for (uint256 i = 0; i < members.length; ++i) {
            addWorkers(have, members[i] - have);
            have = members[i];
            assertEq(consensus.terms(consensus.currentEpoch()).quorum, quorums[i], "quorum");
        }
    }

    function test_SetsTheEndpointAtOnce() public {
        addWorkers(0, 1);
        vm.expectEmit(address(consensus));
        emit IOepConsensus.EndpointChanged(operator(0), "https://elsewhere");
        vm.prank(operator(0));
        consensus.setEndpoint("https://elsewhere");
        assertEq(bytes(consensus.endpointOf(operator(0))), "https://elsewhere", "endpoint");
        assertEq(consensus.currentEpoch(), 2, "epoch");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.NotMember.selector, signer(0)));
        vm.prank(signer(0));
        consensus.setEndpoint("https://signer");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.TextTooLong.selector, 200, 201));
        vm.prank(operator(0));
        consensus.setEndpoint(string(new bytes(201)));
    }

    function test_ViewsOfNothing() public {
        assertEq(consensus.seatOf(STRANGER).signer, address(0), "seat of a stranger");
        assertEq(consensus.signerOf(STRANGER), address(0), "signer of a stranger");
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.UnknownEpoch.selector, 1, 2));
        consensus.electorate(2);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.UnknownEpoch.selector, 1, 0));
        consensus.terms(0);
    }

    function assertSeat(
        IOepConsensus.SeatView memory seat,
        uint256 worker,
        address signer_,
        uint32 since,
        uint32 until,
        uint8 index
    ) private pure {
        assertEq(seat.operator, operator(worker), "operator");
        assertEq(seat.signer, signer_, "signer");
        assertEq(seat.since, since, "since");
        assertEq(seat.until, until, "until");
        assertEq(seat.index, index, "index");
    }

    function rejectsWorkers(IOepConsensus.NewWorker[] memory list, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(ADMIN);
        consensus.addWorkers(list);
    }

    function rejectsPolicy(IOepConsensus.Policy memory policy_, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(ADMIN);
        consensus.setPolicy(policy_);
    }
}
