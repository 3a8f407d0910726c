// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IStakingEvents} from "../src/interfaces/IStakingEvents.sol";
import {Staking} from "../src/Staking.sol";
import {StakingSystem} from "../src/StakingSystem.sol";
import {GenesisValidator, Mode, StakingParams} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";
import {ContractDelegator} from "./support/StakingReceivers.sol";

/// @notice What somebody would try.
contract StakingAttacksTest is StakingFixture {
    address private alice = address(0xa11ce);
    address private mallory = address(0x3a110);

    function setUp() public {
        deploy(Mode.POS, 4);
        vm.deal(mallory, 1_000_000 * COIN);
    }

    function register(address who, uint256 i, bytes memory proof, bytes memory reason) private {
        (bytes32 x, bytes32 y) = point(i);
        if (reason.length != 0) vm.expectRevert(reason);
        vm.prank(who);
        staking.createValidator{value: 100 * COIN}(x, y, proof, 0, 0, "m");
    }

    function test_AProofIsItsOperatorsOnly() public {
        bytes memory proof = proofOf(9, operator(9));
        bytes memory bad = abi.encodeWithSelector(IStakingEvents.BadProof.selector);
        register(mallory, 9, proof, bad);
        register(mallory, 9, "", bad);
        register(mallory, 9, new bytes(65), bad);
        // The holder itself is not kept from it.
        vm.deal(operator(9), 100 * COIN);
        register(operator(9), 9, proof, "");
        vm.assertEq(staking.operatorOf(consensus(9)), operator(9), "registered");
    }

    function test_AProofOfAnotherChainIsNone() public {
        bytes memory proof = proofOf(9, mallory);
        vm.chainId(77);
        register(mallory, 9, proof, abi.encodeWithSelector(IStakingEvents.BadProof.selector));
        vm.chainId(31337);
        register(mallory, 9, proof, "");
    }

    function test_APointBesideTheCurveIsNoKey() public {
        (bytes32 x, bytes32 y) = point(9);
        bytes memory proof = proofOf(9, mallory);
        vm.startPrank(mallory);
        vm.expectRevert(IStakingEvents.BadProof.selector);
        staking.createValidator{value: 100 * COIN}(x, bytes32(uint256(y) + 1), proof, 0, 0, "m");
        vm.expectRevert(IStakingEvents.BadProof.selector);
        staking.createValidator{value: 100 * COIN}(0, 0, proof, 0, 0, "m");
        vm.stopPrank();
    }

    function test_AKeyIsUsedOnceForEver() public {
        bytes memory proof = proofOf(0, mallory); // somebody who has the key
        bytes memory used = abi.encodeWithSelector(IStakingEvents.KeyUsed.selector, consensus(0));
        register(mallory, 0, proof, used);
        doubleSign(0);
        register(mallory, 0, proof, used);
    }

    function test_CommissionDoesNotJump() public {
        vm.startPrank(operator(0)); // 10 %, at most 1 % a day
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.setCommission(1_001); // not on the first day
        vm.warp(time() + 1 days);
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.setCommission(1_101);
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.setCommission(899);
        staking.setCommission(1_100);
        vm.warp(time() + 1 days - 1);
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.setCommission(1_200);
        vm.warp(time() + 1);
        staking.setCommission(1_000);
        vm.stopPrank();
        (bytes32 x, bytes32 y) = point(9);
        bytes memory proof = proofOf(9, mallory);
        vm.startPrank(mallory);
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.createValidator{value: 100 * COIN}(x, y, proof, 10_001, 0, "m");
        staking.createValidator{value: 100 * COIN}(x, y, proof, 10_000, 10_000, "m");
        vm.warp(time() + 1 days);
        vm.expectRevert(IStakingEvents.BadCommission.selector);
        staking.setCommission(10_001);
        vm.stopPrank();
    }

    function test_TheFirstShareIsNotInflated() public {
        StakingParams memory p = stakingParams();
        p.minSelfStake = 0;
        deploy(Mode.POS, p, 1);
        create(9, 1);
        vm.deal(address(staking), address(staking).balance + 1_000_000 * COIN); // a gift is nobody's share
        for (uint256 i; i < 50; ++i) {
            delegate(mallory, 9, 3);
            undelegate(mallory, 9, 1);
        }
        undelegate(operator(9), 9, ALL);
        delegate(alice, 9, COIN);
        vm.assertEq(worth(alice, 9), COIN, "all of it");
        checkBooks();
    }

    function test_ForcedEtherIsTheTreasurys() public {
        vm.deal(address(staking), address(staking).balance + 7 * COIN);
        uint256 owed = staking.owed();
        staking.sweep();
        vm.assertEq(staking.owed(), owed, "owed is the same");
        vm.assertEq(address(staking).balance, owed, "just that");
        vm.assertEq(treasury.owed(), 7 * COIN, "Treasury");
        staking.sweep(); // nothing more
        vm.deal(address(this), 1);
        (bool ok,) = address(staking).call{value: 1}("");
        vm.assertTrue(!ok, "no coins without a call");
    }

    function test_AContractThatRefusesHurtsItselfOnly() public {
        ContractDelegator c = new ContractDelegator(staking);
        address it = address(c);
        delegate(it, 0, 1_000 * COIN);
        distribute(100 * COIN);
        undelegate(it, 0, 400 * COIN);
        pass(49 hours, 101);
        c.behave(true, false);
        vm.startPrank(it);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.TransferFailed.selector, it));
        staking.withdraw();
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.TransferFailed.selector, it));
        staking.claimRewards(operator(0));
        vm.stopPrank();
        vm.assertEq(staking.unbondings(it)[0].amount, 400 * COIN, "still there");
        checkBooks();
        c.behave(false, true);
        vm.assertEq(withdraw(it), 400 * COIN, "paid once");
        near(claim(it, 0), 18 * COIN, "paid once");
        vm.assertTrue(!c.reentered(), "not re-entered");
        checkBooks();
    }

    /// @dev Crumbs cannot be made into more than they were.
    function test_DustIsNotMultiplied() public {
        doubleSignOtherThan0ThenDelegateTo1();
        uint256 before = mallory.balance;
        for (uint256 i; i < 40; ++i) {
            vm.startPrank(mallory);
            staking.delegate{value: 7}(operator(1));
            staking.undelegate(operator(1), 3);
            staking.undelegate(operator(1), ALL);
            vm.stopPrank();
        }
        pass(49 hours, 101);
        withdraw(mallory);
        vm.assertLe(mallory.balance, before, "no more than before");
        checkBooks();
    }

    function doubleSignOtherThan0ThenDelegateTo1() private {
        jail(1); // 1 % less for each share
        pass(2 hours, 1);
        vm.prank(operator(1));
        staking.unjail();
        delegate(alice, 1, 333 * COIN + 7);
    }

    /// @dev Slashed over and over, a pool is closed before its arithmetic gives out; its stake still leaves.
    function test_AWornOutPoolCloses() public {
        StakingParams memory p = stakingParams();
        (p.downtimeBps, p.maxMissed, p.downtimeJail, p.minSelfStake) = (1_000, 0, 0, 0);
        deploy(Mode.POS, p, 8);
        delegate(alice, 0, 1_000 * COIN);
        for (uint256 i; i < 190; ++i) {
            undelegate(alice, 0, 100); // also into the day's bucket, which is slashed as well
            endEpoch();
            absent(0);
            vm.prank(operator(0));
            staking.unjail();
        }
        endEpoch();
        vm.deal(mallory, COIN);
        for (uint256 i; i < 20 && tokens(0) * 1e9 >= staking.validator(operator(0)).shares; ++i) {
            absent(0);
            vm.prank(operator(0));
            staking.unjail();
            endEpoch();
        }
        vm.prank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.Closed.selector, operator(0)));
        staking.delegate{value: COIN}(operator(0));
        undelegate(alice, 0, ALL);
        undelegate(operator(0), 0, ALL);
        vm.assertEq(tokens(0), 0, "all left");
        pass(49 hours, 101);
        withdraw(alice);
        withdraw(operator(0));
        (, uint256 unbonding,) = staking.accounts();
        vm.assertEq(unbonding, 0, "all paid");
        delegate(alice, 0, COIN); // an empty pool starts anew
        checkBooks();
    }

    function test_AnUpgradeBringsBothHalvesAndKeepsTheState() public {
        delegate(alice, 0, COIN);
        Staking next = Staking(payable(Code.make("Staking.sol:Staking")));
        vm.expectRevert();
        UUPSUpgradeable(address(staking)).upgradeToAndCall(address(next), "");
        vm.prank(governor);
        UUPSUpgradeable(address(staking)).upgradeToAndCall(address(next), "");
        undelegate(alice, 0, ALL);
        vm.assertEq(staking.unbondings(alice)[0].amount, COIN, "first half");
        vm.assertEq(endEpoch().length, 0, "second half");
        vm.assertEq(staking.epoch(), 2, "state");
    }

    function test_InitializedOnceAndWithItsCoins() public {
        GenesisValidator[] memory none = new GenesisValidator[](0);
        bytes memory init =
            abi.encodeCall(StakingSystem.initialize, (mallory, mallory, Mode.POS, stakingParams(), none));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        StakingSystem(address(staking)).initialize(mallory, mallory, Mode.POS, stakingParams(), none);
        Staking code = Staking(payable(Code.make("Staking.sol:Staking")));
        vm.expectRevert();
        StakingSystem(address(code)).initialize(mallory, mallory, Mode.POS, stakingParams(), none);
        StakingSystem part = StakingSystem(payable(Code.make("StakingSystem.sol:StakingSystem")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        part.initialize(mallory, mallory, Mode.POS, stakingParams(), none);
        new ERC1967Proxy(address(code), init);

        GenesisValidator[] memory one = new GenesisValidator[](1);
        (bytes32 x, bytes32 y) = point(0);
        one[0] = GenesisValidator(operator(0), x, y, 100 * COIN, 0, 0, "g");
        init = abi.encodeCall(StakingSystem.initialize, (governor, mallory, Mode.POS, stakingParams(), one));
        vm.expectRevert(IStakingEvents.BadAmount.selector);
        new ERC1967Proxy(address(code), init);
        one[0].stake = 99 * COIN;
        init = abi.encodeCall(StakingSystem.initialize, (governor, mallory, Mode.POS, stakingParams(), one));
        vm.expectRevert(abi.encodeWithSelector(IStakingEvents.SelfStakeTooLow.selector, 99 * COIN, 100 * COIN));
        new ERC1967Proxy(address(code), init);
    }

    /// @dev The last validators are jailed one after the other, and leave with all their stake: the set stays.
    function test_TheLastOnesCannotStopTheChain() public {
        for (uint256 i; i < 4; ++i) {
            doubleSign(i);
            undelegate(operator(i), i, ALL);
            endEpoch();
        }
        pass(49 hours, 101);
        for (uint256 i; i < 4; ++i) {
            withdraw(operator(i));
        }
        vm.assertEq(staking.owed(), 0, "all stake left");
        vm.assertGe(totalPower(), 1, "somebody validates");
        create(9, 100 * COIN);
        for (uint256 i; i < 30; ++i) {
            endEpoch();
        }
        vm.assertEq(totalPower(), 100, "a new one takes over");
    }
}
