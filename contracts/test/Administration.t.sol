// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IOepConsensus} from "../src/IOepConsensus.sol";
import {Creator, Fixture} from "./support/Fixture.sol";
import {vm} from "./support/Vm.sol";

/// @dev Permissions, and handing over the administrator's role.
contract AdministrationTest is Fixture {
    address private constant SUCCESSOR = address(0x5cc);
    bytes32 private constant ADMIN_ROLE = 0;

    // The successor revokes its predecessor's role, and so shows that it has its own key.
    function test_HandsOver() public {
        vm.prank(ADMIN);
        consensus.grantRole(ADMIN_ROLE, SUCCESSOR);
        vm.prank(SUCCESSOR);
        consensus.revokeRole(ADMIN_ROLE, ADMIN);
        assertTrue(!consensus.hasRole(ADMIN_ROLE, ADMIN), "predecessor");
        rejectsWithoutRole(ADMIN, ADMIN_ROLE);
        vm.prank(ADMIN);
        consensus.setPolicy(policy());
        vm.prank(SUCCESSOR);
        consensus.setPolicy(policy());
        assertEq(consensus.currentEpoch(), 2, "epoch");
    }

    function test_TheLastAdministratorStays() public {
        bytes memory error_ = abi.encodeWithSelector(IOepConsensus.LastAdministrator.selector, ADMIN);
        vm.expectRevert(error_);
        vm.prank(ADMIN);
        consensus.renounceRole(ADMIN_ROLE, ADMIN);
        vm.expectRevert(error_);
        vm.prank(ADMIN);
        consensus.revokeRole(ADMIN_ROLE, ADMIN);
        assertTrue(consensus.hasRole(ADMIN_ROLE, ADMIN), "administrator");
        // Granting twice does not add a second administrator.
        vm.prank(ADMIN);
        consensus.grantRole(ADMIN_ROLE, ADMIN);
        vm.expectRevert(error_);
        vm.prank(ADMIN);
        consensus.renounceRole(ADMIN_ROLE, ADMIN);
        // Nor does revoking an account that is not one remove one.
        vm.prank(ADMIN);
        consensus.revokeRole(ADMIN_ROLE, STRANGER);
        vm.prank(ADMIN);
        consensus.grantRole(ADMIN_ROLE, SUCCESSOR);
        vm.prank(ADMIN);
        consensus.renounceRole(ADMIN_ROLE, ADMIN);
        vm.expectRevert(abi.encodeWithSelector(IOepConsensus.LastAdministrator.selector, SUCCESSOR));
        vm.prank(SUCCESSOR);
        consensus.renounceRole(ADMIN_ROLE, SUCCESSOR);
    }

    // As an administrator the zero address would allow the last real one to be removed, and nobody could lift a pause.
    function test_NobodyIsNoAdministrator() public {
        rejectsRoles(address(0), abi.encodeWithSelector(IOepConsensus.Missing.selector, "account"));
    }

    // Nor could the contract itself act: as the only administrator it would be none.
    function test_TheContractIsNoAdministratorOfItself() public {
        address own = address(consensus);
        rejectsRoles(own, abi.encodeWithSelector(IOepConsensus.OwnAddress.selector, own));
    }

    // At its creation, too: the address of the next contract of a creator is known before.
    function test_TheContractIsNotCreatedAsItsOwnAdministrator() public {
        Creator creator = new Creator();
        address own = address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(creator), hex"01")))));
        try creator.create(own, policy()) {
            revert NotTrue("the creation was accepted");
        } catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSelector(IOepConsensus.OwnAddress.selector, own), "creation");
        }
    }

    function rejectsRoles(address account, bytes memory error_) private {
        if (account == address(0)) rejectsCreation(account, policy(), error_);
        bytes32[3] memory roles = [ADMIN_ROLE, consensus.REQUESTER_ROLE(), consensus.GUARDIAN_ROLE()];
        for (uint256 i = 0; i < roles.length; ++i) {
            vm.expectRevert(error_);
            vm.prank(ADMIN);
            consensus.grantRole(roles[i], account);
            assertTrue(!consensus.hasRole(roles[i], account), "role");
        }
    }

    function test_TheOtherRolesComeAndGo() public {
        bytes32 requester = consensus.REQUESTER_ROLE();
        bytes32 guardian = consensus.GUARDIAN_ROLE();
        addWorkers(0, 1);
        vm.prank(ADMIN);
        consensus.revokeRole(requester, REQUESTER);
        rejectsWithoutRole(REQUESTER, requester);
        open();
        vm.prank(GUARDIAN);
        consensus.renounceRole(guardian, GUARDIAN);
        rejectsWithoutRole(GUARDIAN, guardian);
        vm.prank(GUARDIAN);
        consensus.pause();
    }

    // Only the administrator grants roles; a guardian or requester grants none, not even its own.
    function test_OnlyTheAdministratorGivesRoles() public {
        bytes32 requester = consensus.REQUESTER_ROLE();
        bytes32 guardian = consensus.GUARDIAN_ROLE();
        rejectsWithoutRole(REQUESTER, ADMIN_ROLE);
        vm.prank(REQUESTER);
        consensus.grantRole(requester, STRANGER);
        rejectsWithoutRole(GUARDIAN, ADMIN_ROLE);
        vm.prank(GUARDIAN);
        consensus.grantRole(ADMIN_ROLE, GUARDIAN);
        rejectsWithoutRole(STRANGER, ADMIN_ROLE);
        vm.prank(STRANGER);
        consensus.revokeRole(guardian, GUARDIAN);
    }

    function rejectsWithoutRole(address account, bytes32 role) private {
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role));
    }
}
