// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Vm} from "./support/Vm.sol";
import {Washer} from "./support/Washer.sol";
import {Targets} from "./support/Targets.sol";

/// @notice The same history twice: the attacker trades with itself in one world, and does nothing in the other.
/// @dev Both have the same blocks, times and parameters, so what stakers are issued is the same in both.
contract Washing {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    Washer public immutable busy;
    Washer public immutable idle;

    constructor() {
        vm.warp(1_800_000_000);
        busy = Washer(payable(Code.make("Washer.sol:Washer", abi.encode(address(0xa77ac0)))));
        idle = Washer(payable(Code.make("Washer.sol:Washer", abi.encode(address(0xa77ac1)))));
        busy.setUp();
        idle.setUp();
    }

    function openOne(uint256 amount) external {
        busy.openOne(amount);
    }

    function debit(uint256 which, uint256 amount) external {
        busy.debit(which, amount);
    }

    function pay(uint256 amount) external {
        busy.pay(amount);
    }

    function takeOut(uint256 amount) external {
        busy.takeOut(amount);
    }

    function collectFees() external {
        busy.collectFees();
    }

    function claimAll() external {
        busy.claimAll();
    }

    function setFee(uint16 feeBps) external {
        busy.setFee(feeBps);
        idle.setFee(feeBps);
    }

    function setRewards(uint256 rate, uint64 epoch, uint16 f, uint16 g) external {
        busy.setRewards(rate, epoch, f, g);
        idle.setRewards(rate, epoch, f, g);
    }

    /// @dev Blocks of up to a minute, and now and then an outage.
    function wait(uint256 elapsed, bool long) public {
        vm.warp(vm.getBlockTimestamp() + elapsed % (long ? 3 days : 61));
        busy.endOne();
        idle.endOne();
    }

    /// @dev The end of the story. Two epochs at most are open: the one that runs, and none after it earns anything.
    function comeHome() external {
        vm.warp(vm.getBlockTimestamp() + 31 days);
        busy.endOne();
        idle.endOne();
        busy.comeHome();
        idle.comeHome();
    }
}

/// @notice Whoever trades with itself loses money, whatever the parameters are and however they change meanwhile.
contract WashTradingTest is Targets {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    Washing private world;

    function setUp() public {
        world = Washing(payable(Code.make("WashTrading.t.sol:Washing")));
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[14] memory all = [
            // Weighted: what moves money, and time, comes more often.
            Washing.openOne.selector,
            Washing.openOne.selector,
            Washing.debit.selector,
            Washing.debit.selector,
            Washing.debit.selector,
            Washing.pay.selector,
            Washing.pay.selector,
            Washing.takeOut.selector,
            Washing.collectFees.selector,
            Washing.claimAll.selector,
            Washing.setFee.selector,
            Washing.setRewards.selector,
            Washing.wait.selector,
            Washing.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(world);
        list[0].selectors = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[0].selectors[i] = all[i];
        }
    }

    /// @dev Rewards owe what can be claimed, but for what rounding left (one miner: nothing), and hold it.
    function invariant_RewardsOweWhatCanBeClaimed() external view {
        (uint256 owed, uint256 held, uint256 marketOwed, uint256 marketHeld) = world.busy().books();
        vm.assertGe(held, owed, "rewards hold what they owe");
        vm.assertEq(world.busy().claimable(), owed, "owed is claimable");
        vm.assertGe(marketHeld, marketOwed, "the market too");
    }

    /// @dev At the end of every history, when all has come home.
    function afterInvariant() external {
        judge();
    }

    /// @dev One trade, with parameters that change wherever the attacker would like them to.
    function testFuzz_OneWash(
        uint256 amount,
        uint16 feeBps,
        uint16[3] calldata f,
        uint16[3] calldata g,
        uint64 epoch,
        bool early
    ) public {
        world.setFee(feeBps);
        world.setRewards(2 ** 67, epoch, f[0], g[0]);
        skip();
        world.openOne(amount);
        world.debit(0, type(uint256).max);
        world.setRewards(2 ** 67, epoch, f[1], g[1]);
        if (early) world.collectFees();
        world.pay(type(uint256).max);
        skip();
        world.setRewards(2 ** 67, epoch, f[2], g[2]);
        skip();
        if (!early) world.collectFees();
        judge();
    }

    /// @dev The most that the setters allow: half of the fees to the miner, and a little less to stakers at another time.
    function test_TheBestWashStillLoses() public {
        world.setFee(2_000);
        world.setRewards(2 ** 67, 60, 5_000, 0);
        skip();
        world.openOne(type(uint256).max);
        world.debit(0, type(uint256).max);
        world.pay(type(uint256).max);
        world.setRewards(2 ** 67, 60, 0, 4_999);
        skip();
        world.collectFees();
        vm.assertEq(world.busy().feesPaid(), 2_000 ether, "fees");
        world.comeHome();
        vm.assertEq(
            world.idle().wealth() - world.busy().wealth(), 2_000 ether / 10_000, "one part in 10,000 of the fees"
        );
    }

    function judge() private {
        world.comeHome();
        (uint256 busy, uint256 idle, uint256 paid) =
            (world.busy().wealth(), world.idle().wealth(), world.busy().feesPaid());
        if (paid == 0) {
            vm.assertEq(busy, idle, "without fees nothing is lost or won");
        } else {
            vm.assertTrue(busy < idle, "washing loses");
            // f + g is at most 9,999.
            vm.assertGe(idle - busy, (paid + 9_999) / 10_000, "a part of the fees at least");
        }
        (uint256 owed,,,) = world.busy().books();
        vm.assertEq(owed, 0, "all was claimed");
    }

    /// @dev On to the next epoch, however long this one is, with a minute of it charged.
    function skip() private {
        world.wait(60, false);
        vm.warp(vm.getBlockTimestamp() + 31 days);
        world.wait(0, false);
    }
}
