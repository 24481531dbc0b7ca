// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Electorate} from "../src/Electorate.sol";
import {OepConsensus} from "../src/OepConsensus.sol";
import {Fixture} from "./support/Fixture.sol";
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
        bytes memory error_ = abi.encodeWithSelector(Electorate.LastAdministrator.selector, ADMIN);
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
        vm.expectRevert(abi.encodeWithSelector(Electorate.LastAdministrator.selector, SUCCESSOR));
        vm.prank(SUCCESSOR);
        consensus.renounceRole(ADMIN_ROLE, SUCCESSOR);
    }

    // As an administrator the zero address would allow the last real one to be removed, and nobody could lift a pause.
    function test_NobodyIsNoAdministrator() public {
        bytes memory error_ = abi.encodeWithSelector(Electorate.Missing.selector, "account");
        rejectsCreation(address(0), policy(), error_);
        bytes32[3] memory roles = [ADMIN_ROLE, consensus.REQUESTER_ROLE(), consensus.GUARDIAN_ROLE()];
        for (uint256 i = 0; i < roles.length; ++i) {
            vm.expectRevert(error_);
            vm.prank(ADMIN);
            consensus.grantRole(roles[i], address(0));
            assertTrue(!consensus.hasRole(roles[i], address(0)), "nobody");
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
