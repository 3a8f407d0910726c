// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {
    TimelockControllerUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {Timelock} from "../src/governance/Timelock.sol";
import {GovernanceFixture} from "./support/GovernanceFixture.sol";

/// @notice What waits in the Timelock, who may do what there, and those who try more.
contract TimelockTest is GovernanceFixture {
    function test_OnlyTheGovernorProposesAndCancels() public {
        bytes32 role = timelock.PROPOSER_ROLE();
        vm.assertTrue(timelock.hasRole(role, address(gov)), "proposer");
        vm.assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), address(gov)), "canceller");
        vm.assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)), "anyone executes");
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        vm.assertTrue(!timelock.hasRole(admin, address(timelock)), "no admin");
        vm.assertTrue(!timelock.hasRole(admin, address(this)), "no admin");
        bytes memory denied =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), role);
        vm.expectRevert(denied);
        timelock.schedule(address(faucet), 0, "", 0, 0, WAIT);
        vm.expectRevert(denied);
        timelock.scheduleBatch(new address[](1), new uint256[](1), new bytes[](1), 0, 0, WAIT);
        vm.expectRevert();
        timelock.cancel(0);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), admin)
        );
        timelock.grantRole(role, address(this));
        vm.expectRevert(
            abi.encodeWithSelector(TimelockControllerUpgradeable.TimelockUnauthorizedCaller.selector, address(this))
        );
        timelock.updateDelay(0);
        address code = Code.make("Timelock.sol:Timelock");
        vm.expectRevert(
            abi.encodeWithSelector(TimelockControllerUpgradeable.TimelockUnauthorizedCaller.selector, address(this))
        );
        timelock.upgradeToAndCall(code, "");
    }

    /// @dev Not even a vote gives somebody a role: that takes an upgrade, which everyone sees coming.
    function test_AProposalThatTargetsTheRolesFails() public {
        bytes32 role = timelock.PROPOSER_ROLE();
        bytes[3] memory attempts = [
            abi.encodeCall(timelock.grantRole, (role, alice)),
            abi.encodeCall(timelock.revokeRole, (role, address(gov))),
            abi.encodeCall(timelock.grantRole, (bytes32(0), alice))
        ];
        for (uint256 i; i < 3; ++i) {
            uint256 id = pass(plan(address(timelock), attempts[i]));
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAccessControl.AccessControlUnauthorizedAccount.selector, address(timelock), bytes32(0)
                )
            );
            gov.execute(id);
        }
        vm.assertTrue(timelock.hasRole(role, address(gov)), "as before");
        vm.assertTrue(!timelock.hasRole(role, alice), "as before");
    }

    function test_NothingIsExecutedBeforeItsTime() public {
        Plan memory p = plan(address(faucet), abi.encodeCall(faucet.drain, ()));
        uint256 id = start(p);
        vote(0, id, 1);
        early(id);
        vm.expectRevert();
        gov.queue(id);
        vm.warp(gov.proposalDeadline(id) + 1);
        early(id);
        gov.queue(id);
        early(id);
        vm.assertEq(gov.proposalEta(id), time() + WAIT, "eta");
        vm.warp(gov.proposalEta(id) - 1);
        early(id);
        bytes32 salt = bytes20(address(gov)) ^ keccak256(bytes(p.description));
        vm.expectRevert();
        timelock.executeBatch(p.targets, p.values, p.calldatas, 0, salt);
        vm.warp(time() + 1);
        vm.prank(address(0xca11));
        gov.execute(id);
        assertState(id, IGovernor.ProposalState.Executed);
    }

    function test_NothingIsExecutedTwice() public {
        Plan memory p = plan(address(faucet), abi.encodeCall(faucet.drain, ()));
        uint256 id = pass(p);
        gov.execute(id);
        early(id);
        bytes32 salt = bytes20(address(gov)) ^ keccak256(bytes(p.description));
        vm.expectRevert();
        timelock.executeBatch(p.targets, p.values, p.calldatas, 0, salt);
        vm.expectRevert();
        gov.queue(id);
        vm.prank(operator(1));
        vm.expectRevert();
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    /// @dev The Timelock executes for anyone; the Governor then knows.
    function test_AnyoneExecutesAtTheTimelock() public {
        Plan memory p = plan(address(faucet), abi.encodeCall(faucet.drain, ()));
        uint256 id = pass(p);
        bytes32 salt = bytes20(address(gov)) ^ keccak256(bytes(p.description));
        vm.prank(address(0xca11));
        timelock.executeBatch(p.targets, p.values, p.calldatas, 0, salt);
        assertState(id, IGovernor.ProposalState.Executed);
        early(id);
    }

    function test_ADefeatedProposalWaitsForNothing() public {
        uint256 id = start(plan(address(faucet), abi.encodeCall(faucet.drain, ())));
        vote(0, id, 0);
        vote(1, id, 1);
        vm.warp(gov.proposalDeadline(id) + 1);
        assertState(id, IGovernor.ProposalState.Defeated);
        vm.expectRevert();
        gov.queue(id);
        early(id);
    }

    /// @dev The executor calls back while it executes: everything is done once.
    function test_ReenteringExecutionGainsNothing() public {
        Plan memory p = plan(address(this), abi.encodeCall(this.again, ()));
        reentered = pass(p);
        gov.execute(reentered);
        vm.assertEq(calls, 1, "once");
    }

    uint256 private reentered;
    uint256 private calls;

    function again() external {
        ++calls;
        vm.assertEq(msg.sender, address(timelock), "the timelock calls");
        (bool ok,) = address(gov).call(abi.encodeWithSignature("execute(uint256)", reentered));
        vm.assertTrue(!ok, "not twice");
    }

    function test_NobodyInitializesAgain() public {
        address[] memory list = new address[](1);
        list[0] = address(this);
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        timelock.initialize(0, list, list, address(0));
        Timelock code = Timelock(payable(Code.make("Timelock.sol:Timelock")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(0, list, list, address(0));
        vm.expectRevert(Timelock.NoAdmin.selector);
        code.initialize(0, list, list, address(this));
    }

    function early(uint256 id) private {
        vm.expectRevert();
        gov.execute(id);
    }
}
