// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {IStaking} from "../../src/interfaces/IStaking.sol";
import {Staking} from "../../src/Staking.sol";
import {StakingSystem} from "../../src/StakingSystem.sol";
import {Evidence, GenesisValidator, Mode, Power, StakingParams} from "../../src/StakingTypes.sol";
import {Treasury} from "../../src/Treasury.sol";
import {Vm} from "./Vm.sol";

/// @notice Staking as genesis makes it, and builders of keys, proofs, blocks and evidence.
abstract contract StakingFixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address internal constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    uint128 internal constant COIN = 1e18;
    uint128 internal constant ALL = type(uint128).max;
    uint256 internal constant START = 1_800_000_000;
    uint256 private constant FIRST_KEY = 0x9e0000;

    event log_named_uint(string name, uint256 value);

    IStaking internal staking;
    Treasury internal treasury;
    address internal governor = address(0x6000000000000000000000000000000000000006);

    function stakingParams() internal pure returns (StakingParams memory) {
        return StakingParams({
            maxValidators: 100,
            epochBlocks: 10,
            maxPowerBps: 10_000,
            minSelfStake: 100 * COIN,
            unbondDelay: 48 hours,
            unbondBlocks: 100,
            doubleSignBps: 500,
            downtimeBps: 100,
            downtimeJail: 1 hours,
            window: 100,
            maxMissed: 50
        });
    }

    /// @dev As genesis does: the coins are there before the initializer runs.
    function deploy(Mode mode, StakingParams memory p, uint128[] memory stakes) internal {
        vm.warp(START);
        vm.roll(1);
        treasury = Treasury(
            payable(new ERC1967Proxy(
                    Code.make("Treasury.sol:Treasury"), abi.encodeCall(Treasury.initialize, (governor))
                ))
        );
        GenesisValidator[] memory list = new GenesisValidator[](stakes.length);
        uint256 sum;
        for (uint256 i; i < stakes.length; ++i) {
            (bytes32 x, bytes32 y) = point(i);
            list[i] = GenesisValidator(operator(i), x, y, stakes[i], 1_000, 100, "genesis");
            sum += stakes[i];
        }
        Staking code = Staking(payable(Code.make("Staking.sol:Staking")));
        vm.deal(vm.computeCreateAddress(address(this), vm.getNonce(address(this))), sum);
        bytes memory init = abi.encodeCall(StakingSystem.initialize, (governor, address(treasury), mode, p, list));
        staking = IStaking(address(new ERC1967Proxy(address(code), init)));
    }

    function deploy(Mode mode, uint256 count) internal {
        deploy(mode, stakingParams(), count);
    }

    function deploy(Mode mode, StakingParams memory p, uint256 count) internal {
        uint128[] memory stakes = new uint128[](count);
        for (uint256 i; i < count; ++i) {
            stakes[i] = 1_000 * COIN;
        }
        deploy(mode, p, stakes);
    }

    function operator(uint256 i) internal pure returns (address) {
        return address(uint160(0x0e000000000000 + i));
    }

    function point(uint256 i) internal returns (bytes32 x, bytes32 y) {
        Vm.Wallet memory w = vm.createWallet(FIRST_KEY + i);
        return (bytes32(w.publicKeyX), bytes32(w.publicKeyY));
    }

    function consensus(uint256 i) internal pure returns (address) {
        return vm.addr(FIRST_KEY + i);
    }

    function signKey(uint256 i, bytes32 digest) internal pure returns (uint8, bytes32, bytes32) {
        return vm.sign(FIRST_KEY + i, digest);
    }

    function proofOf(uint256 i, address who) internal returns (bytes memory) {
        (bytes32 x, bytes32 y) = point(i);
        (uint8 v, bytes32 r, bytes32 s) = signKey(i, staking.keyDigest(who, x, y));
        return abi.encodePacked(r, s, v);
    }

    function create(uint256 i, uint128 stake) internal {
        (bytes32 x, bytes32 y) = point(i);
        bytes memory proof = proofOf(i, operator(i));
        fund(operator(i), stake);
        vm.prank(operator(i));
        staking.createValidator{value: stake}(x, y, proof, 1_000, 100, "new");
    }

    function fund(address who, uint256 amount) internal {
        vm.deal(who, who.balance + amount);
    }

    function delegate(address who, uint256 i, uint128 amount) internal {
        fund(who, amount);
        vm.prank(who);
        staking.delegate{value: amount}(operator(i));
    }

    function undelegate(address who, uint256 i, uint128 amount) internal {
        vm.prank(who);
        staking.undelegate(operator(i), amount);
    }

    function redelegate(address who, uint256 from, uint256 to, uint128 amount) internal {
        vm.prank(who);
        staking.redelegate(operator(from), operator(to), amount);
    }

    function withdraw(address who) internal returns (uint128) {
        vm.prank(who);
        return staking.withdraw();
    }

    function claim(address who, uint256 i) internal returns (uint128) {
        vm.prank(who);
        return staking.claimRewards(operator(i));
    }

    function distribute(uint128 amount) internal {
        vm.deal(address(this), amount);
        staking.distribute{value: amount}();
    }

    function tokens(uint256 i) internal view returns (uint128) {
        return staking.validator(operator(i)).tokens;
    }

    function power(uint256 i) internal view returns (uint64) {
        return staking.validator(operator(i)).power;
    }

    function worth(address who, uint256 i) internal view returns (uint128 amount) {
        (amount,,) = staking.delegation(who, operator(i));
    }

    function totalPower() internal view returns (uint256 sum) {
        (, uint64[] memory powers) = staking.activeSet();
        for (uint256 i; i < powers.length; ++i) {
            sum += powers[i];
        }
    }

    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    /// @dev Passes time and blocks, which are empty and end no epoch, so that none is called.
    function pass(uint256 seconds_, uint256 blocks) internal {
        vm.warp(time() + seconds_);
        vm.roll(vm.getBlockNumber() + blocks);
    }

    function endBlock() internal returns (Power[] memory) {
        return endBlock(new address[](0), new Evidence[](0));
    }

    function endBlock(address[] memory missed, Evidence[] memory guilty) internal returns (Power[] memory) {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(time() + 1);
        vm.prank(SYSTEM);
        return staking.endBlock(missed, guilty);
    }

    /// @dev Goes on to the end of the epoch.
    function endEpoch() internal returns (Power[] memory) {
        uint256 epochBlocks = staking.params().epochBlocks;
        uint256 next = (vm.getBlockNumber() / epochBlocks + 1) * epochBlocks;
        vm.roll(next - 1);
        return endBlock();
    }

    function absent(uint256 i) internal returns (Power[] memory) {
        address[] memory missed = new address[](1);
        missed[0] = consensus(i);
        return endBlock(missed, new Evidence[](0));
    }

    function doubleSign(uint256 i) internal returns (Power[] memory) {
        return doubleSign(i, uint64(vm.getBlockNumber()), uint64(time()));
    }

    function doubleSign(uint256 i, uint64 height, uint64 when) internal returns (Power[] memory) {
        Evidence[] memory guilty = new Evidence[](1);
        guilty[0] = Evidence(consensus(i), height, when);
        return endBlock(new address[](0), guilty);
    }

    /// @dev Misses blocks until it is jailed.
    function jail(uint256 i) internal {
        uint256 window = staking.params().window;
        vm.roll((vm.getBlockNumber() / window + 1) * window);
        for (uint256 n; n <= staking.params().maxMissed; ++n) {
            absent(i);
        }
        vm.assertTrue(staking.validator(operator(i)).jailed, "jailed");
    }

    /// @dev The books, with the people whose rewards may be open.
    function checkBooks() internal view {
        (uint256 bonded, uint256 unbonding, uint256 unpaid) = staking.accounts();
        vm.assertEq(bonded + unbonding + unpaid, staking.owed(), "owed is its parts");
        vm.assertGe(address(staking).balance, staking.owed(), "solvent");
        (address[] memory all,) = staking.validators(0, type(uint256).max);
        uint256 sum;
        for (uint256 i; i < all.length; ++i) {
            sum += staking.validator(all[i]).tokens;
        }
        vm.assertEq(sum, bonded, "tokens are what is bonded");
    }

    /// @dev What is rounded down may be a few base units less, and never more.
    function near(uint256 got, uint256 want, string memory what) internal pure {
        vm.assertLe(got, want, what);
        vm.assertGe(got + 3, want, what);
    }
}
