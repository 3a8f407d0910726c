// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IUpgrades} from "../src/interfaces/IUpgrades.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Upgrades} from "../src/Upgrades.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Plans of node upgrades: made, replaced, dropped, and names that are used up.
contract UpgradesTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant GOVERNOR = address(0x6000000000000000000000000000000000000006);

    Upgrades private upgrades;

    function setUp() public {
        vm.roll(100);
        upgrades = Upgrades(
            address(
                new ERC1967Proxy(Code.make("Upgrades.sol:Upgrades"), abi.encodeCall(Upgrades.initialize, (GOVERNOR)))
            )
        );
    }

    function test_NoPlanAtFirst() public {
        (string memory name, uint64 height, string memory info) = upgrades.plan();
        vm.assertEq(bytes(name).length + height + bytes(info).length, 0, "empty");
        vm.prank(GOVERNOR);
        vm.expectRevert(IUpgrades.NoPlan.selector);
        upgrades.cancel();
    }

    function test_APlanIsRead() public {
        schedule("v2", 101, "https://example.org sha256:00");
        assertPlan("v2", 101, "https://example.org sha256:00");
        vm.roll(500);
        assertPlan("v2", 101, "https://example.org sha256:00");
    }

    function test_APlanAheadIsReplacedAndItsNameIsFree() public {
        schedule("v2", 200, "");
        schedule("v3", 150, "");
        assertPlan("v3", 150, "");
        schedule("v2", 300, "");
        assertPlan("v2", 300, "");
    }

    function test_APlanAheadIsDropped() public {
        schedule("v2", 101, "");
        vm.prank(GOVERNOR);
        upgrades.cancel();
        assertPlan("", 0, "");
        schedule("v2", 102, "again");
        assertPlan("v2", 102, "again");
    }

    function test_WhatCameToPassStays() public {
        schedule("v2", 101, "");
        vm.roll(101);
        vm.prank(GOVERNOR);
        vm.expectRevert(IUpgrades.NoPlan.selector);
        upgrades.cancel();
        refused("v2", 200, "");
        schedule("v3", 200, "");
        vm.roll(201);
        refused("v2", 300, "");
        refused("v3", 300, "");
    }

    function test_BadPlansAreRefused() public {
        refused("", 200, "");
        refused("v2", 100, "");
        refused("v2", 99, "");
        refused(string(new bytes(65)), 200, "");
        refused("v2", 200, string(new bytes(4_097)));
        schedule(string(new bytes(64)), 200, string(new bytes(4_096)));
    }

    function test_OnlyTheGovernorPlans() public {
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        upgrades.schedule("v2", 200, "");
        schedule("v2", 200, "");
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        upgrades.cancel();
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        upgrades.initialize(address(this));
        Upgrades code = Upgrades(payable(Code.make("Upgrades.sol:Upgrades")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(address(this));
    }

    function schedule(string memory name, uint64 height, string memory info) private {
        vm.prank(GOVERNOR);
        upgrades.schedule(name, height, info);
    }

    function refused(string memory name, uint64 height, string memory info) private {
        vm.prank(GOVERNOR);
        vm.expectRevert(IUpgrades.BadPlan.selector);
        upgrades.schedule(name, height, info);
    }

    function assertPlan(string memory name, uint64 height, string memory info) private view {
        (string memory gotName, uint64 gotHeight, string memory gotInfo) = upgrades.plan();
        vm.assertEq(keccak256(bytes(gotName)), keccak256(bytes(name)), "name");
        vm.assertEq(gotHeight, height, "height");
        vm.assertEq(keccak256(bytes(gotInfo)), keccak256(bytes(info)), "info");
    }
}
