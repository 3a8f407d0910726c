// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRegistry} from "../src/interfaces/IRegistry.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Participant} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Stake, keys and standing.
contract RegistryTest is Fixture {
    address private constant NEXT = address(0xaa);

    function test_RegisterTakesARoleOnceAndBindsTheKey() public {
        Participant memory p = registry.participant(MINER, miner);
        vm.assertEq(p.stake, 1_000 ether, "stake");
        vm.assertEq(p.signer, minerSigner, "signer");
        vm.assertTrue(p.registered, "registered");
        vm.assertTrue(registry.active(MINER, miner), "active");
        vm.assertTrue(registry.signerValid(MINER, miner, minerSigner), "valid");
        vm.assertTrue(!registry.signerValid(COORDINATOR, miner, minerSigner), "in this role");
        vm.assertTrue(!registry.signerValid(MINER, miner, address(0)), "zero is nobody's");
        (uint8 role, address account) = registry.signerOwner(minerSigner);
        vm.assertEq(role, MINER, "role");
        vm.assertEq(account, miner, "account");

        vm.deal(miner, 20_000 ether);
        vm.startPrank(miner);
        vm.expectRevert(IRegistry.AlreadyRegistered.selector);
        registry.register{value: 1_000 ether}(MINER, NEXT, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SignerTaken.selector, minerSigner));
        registry.register{value: 10_000 ether}(COORDINATOR, minerSigner, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SignerTaken.selector, address(0)));
        registry.register{value: 10_000 ether}(COORDINATOR, address(0), 0, "");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownRole.selector, uint8(3)));
        registry.register{value: 10_000 ether}(3, NEXT, 0, "");
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StakeTooLow.selector, uint128(9_999 ether), uint128(10_000 ether))
        );
        registry.register{value: 9_999 ether}(COORDINATOR, NEXT, 0, "");
        vm.expectRevert(IRegistry.EndpointTooLong.selector);
        registry.register{value: 10_000 ether}(COORDINATOR, NEXT, 0, string(new bytes(257)));
        registry.register{value: 10_000 ether}(COORDINATOR, NEXT, 0, "");
        vm.stopPrank();
        vm.assertEq(registry.owed(), 21_000 ether, "both roles' stakes");
        vm.assertEq(address(registry).balance, 21_000 ether, "balance");
    }

    function test_BindingIsWhereTheProtocolSays() public view {
        bytes32 base = keccak256(abi.encode(uint256(keccak256("aitbc.storage.Registry")) - 1)) & ~bytes32(uint256(0xff));
        bytes32 slot = keccak256(abi.encode(minerSigner, base));
        vm.assertEq(
            uint256(vm.load(address(registry), slot)), uint256(uint160(miner)) | uint256(MINER) << 160, "binding"
        );
    }

    function test_UnbondingWaitsAndPays() public {
        vm.prank(miner);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StakeTooLow.selector, uint128(999 ether), uint128(1_000 ether))
        );
        registry.requestUnbond(MINER, 1 ether);
        vm.deal(miner, 500 ether);
        vm.startPrank(miner);
        registry.increase{value: 500 ether}(MINER);
        registry.requestUnbond(MINER, 200 ether);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotDue.selector, uint64(START + 48 hours)));
        registry.withdrawUnbonded(MINER);
        vm.assertEq(registry.owed(), 11_500 ether, "unbonding is still owed");
        vm.warp(START + 48 hours);
        registry.withdrawUnbonded(MINER);
        vm.assertEq(miner.balance, 200 ether, "paid");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotDue.selector, uint64(0)));
        registry.withdrawUnbonded(MINER);
        vm.stopPrank();
        vm.assertEq(registry.owed(), 11_300 ether, "owed");
    }

    function test_DeregisterAndComeBackWithTheSameKey() public {
        vm.startPrank(miner);
        registry.requestUnbond(MINER, 1_000 ether);
        vm.assertTrue(!registry.active(MINER, miner), "gone");
        vm.assertTrue(registry.signerValid(MINER, miner, minerSigner), "what it signed stays good");
        vm.expectRevert(IRegistry.NotRegistered.selector);
        registry.increase{value: 0}(MINER);
        vm.warp(START + 48 hours);
        registry.withdrawUnbonded(MINER);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SignerChanged.selector, minerSigner));
        registry.register{value: 1_000 ether}(MINER, NEXT, 0, "");
        registry.register{value: 1_000 ether}(MINER, minerSigner, 0, "");
        vm.stopPrank();
        vm.assertTrue(registry.active(MINER, miner), "back");
    }

    function test_ReservedBondStays() public {
        vm.startPrank(coordinator);
        market.setMinerLimit(miner, 4_000 ether);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.StakeReserved.selector, uint128(0), uint128(4_000 ether)));
        registry.requestUnbond(COORDINATOR, 10_000 ether);
        vm.stopPrank();
    }

    function test_ReplacedKeyIsHonouredAndThenNot() public {
        uint64 hold = market.holdDelay();
        vm.prank(miner);
        registry.replaceSigner(MINER, NEXT, keccak256("next"));
        assertKeys(true, false, "before");
        vm.warp(START + hold - 1);
        assertKeys(true, false, "until the delay is over");
        vm.warp(START + hold);
        assertKeys(true, true, "both, for as long again");
        Participant memory p = registry.participant(MINER, miner);
        vm.assertEq(p.signer, NEXT, "signer");
        vm.assertEq(p.oldSigner, minerSigner, "old signer");
        vm.assertEq(p.sealingKeyHash, keccak256("next"), "sealing key");
        vm.warp(START + 2 * hold - 1);
        assertKeys(true, true, "to the last second");
        vm.warp(START + 2 * hold);
        assertKeys(false, true, "only the new one");
        (, address account) = registry.signerOwner(minerSigner);
        vm.assertEq(account, miner, "the binding is for ever");
    }

    function test_OneReplacementAtATime() public {
        uint64 hold = market.holdDelay();
        vm.startPrank(miner);
        registry.replaceSigner(MINER, NEXT, 0);
        vm.warp(START + 100);
        registry.replaceSigner(MINER, address(0xbb), 0);
        vm.warp(START + hold);
        vm.assertTrue(!registry.signerValid(MINER, miner, NEXT), "a waiting one is dropped");
        vm.warp(START + 100 + hold);
        vm.assertTrue(registry.signerValid(MINER, miner, address(0xbb)), "its successor came");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SignerHeld.selector, uint64(START + 100 + 2 * hold)));
        registry.replaceSigner(MINER, address(0xcc), 0);
        vm.assertTrue(registry.signerValid(MINER, miner, minerSigner), "the old key is not pushed out");
        vm.warp(START + 100 + 2 * hold);
        registry.replaceSigner(MINER, address(0xcc), 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SignerTaken.selector, NEXT));
        registry.replaceSigner(MINER, NEXT, 0);
        vm.stopPrank();
    }

    function test_OnlyTheMarketTouchesBonds() public {
        bytes memory refused = abi.encodeWithSelector(Governed.Unauthorized.selector, address(this));
        vm.expectRevert(refused);
        registry.setReserved(coordinator, 1);
        vm.expectRevert(refused);
        registry.draw(coordinator, 1);
        vm.expectRevert(refused);
        registry.jail(COORDINATOR, coordinator);
        vm.expectRevert(refused);
        registry.setParams(registryParams());
    }

    function test_JailEndsByTimeAndStake() public {
        vm.prank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CannotUnjail.selector, uint64(0)));
        registry.unjail(COORDINATOR);
        vm.prank(coordinator);
        market.setMinerLimit(miner, 1 ether);
        settleCredits(credit(miner, 1 ether)); // the bond is below its least now
        vm.prank(address(market));
        registry.jail(COORDINATOR, coordinator);
        vm.startPrank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CannotUnjail.selector, uint64(START + 24 hours)));
        registry.unjail(COORDINATOR);
        vm.warp(START + 24 hours);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StakeTooLow.selector, uint128(9_999 ether), uint128(10_000 ether))
        );
        registry.unjail(COORDINATOR);
        vm.deal(coordinator, 1 ether);
        registry.increase{value: 1 ether}(COORDINATOR);
        registry.unjail(COORDINATOR);
        vm.stopPrank();
        vm.assertTrue(registry.active(COORDINATOR, coordinator), "active again");
    }

    function test_TheJailedMayLeave() public {
        vm.prank(address(market));
        registry.jail(COORDINATOR, coordinator);
        vm.startPrank(coordinator);
        registry.requestUnbond(COORDINATOR, 10_000 ether);
        vm.warp(START + 48 hours);
        registry.withdrawUnbonded(COORDINATOR);
        vm.stopPrank();
        vm.assertEq(coordinator.balance, 10_000 ether, "out");
    }

    function assertKeys(bool old, bool next, string memory when) private view {
        vm.assertEq(registry.signerValid(MINER, miner, minerSigner), old, when);
        vm.assertEq(registry.signerValid(MINER, miner, NEXT), next, when);
    }
}
