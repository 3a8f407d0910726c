// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Mode, StakingParams, Unbonding, Validator} from "../../src/StakingTypes.sol";
import {StakingFixture} from "./StakingFixture.sol";
import {ContractDelegator} from "./StakingReceivers.sol";

/// @notice The people of a history of stakes, what must hold of their accounts, and how all of them leave.
abstract contract StakingWorld is StakingFixture {
    uint256 internal constant OPERATORS = 6;
    uint256 internal constant GENESIS = 4;
    uint256 internal constant PEOPLE = 4;
    uint256 internal constant STAKERS = PEOPLE + OPERATORS;
    /// @dev The most divisions of rewards in one call, each of which may leave one base unit: a block settles every
    /// validator, at two each.
    uint256 private constant ROUNDINGS = 2 * OPERATORS;

    address[] internal people;
    /// @dev Those who are validators.
    address[] internal registered;
    mapping(address operator => address) internal keyOf;
    bytes32[] internal xs;
    bytes32[] internal ys;
    address[] internal keys;
    /// @dev All coins in the world.
    uint256 internal coins;
    /// @dev Coins that were forced upon Staking, and what else is nobody's there: sweep takes them.
    uint256 internal surplus;
    /// @notice How many calls were made and not reverted.
    uint256 public calls;
    /// @dev Power at the beginning of the epoch, and what of it was taken away.
    uint256 internal epochPower;
    uint256 internal removed;
    /// @dev What was seen to go wrong while it happened.
    string internal wrong;

    modifier counted() {
        _;
        ++calls;
    }

    function setUp(Mode mode) external {
        StakingParams memory p = stakingParams();
        (p.window, p.maxMissed, p.unbondBlocks) = (20, 2, 20);
        deploy(mode, p, GENESIS);
        for (uint256 i; i < PEOPLE - 1; ++i) {
            people.push(address(uint160(0xbeef00 + i)));
        }
        ContractDelegator c = new ContractDelegator(staking);
        c.behave(true, true);
        people.push(address(c));
        for (uint256 i; i < 2 * OPERATORS; ++i) {
            (bytes32 x, bytes32 y) = point(i);
            xs.push(x);
            ys.push(y);
            keys.push(consensus(i));
        }
        for (uint256 i; i < GENESIS; ++i) {
            registered.push(operator(i));
            keyOf[operator(i)] = keys[i];
        }
        for (uint256 i; i < STAKERS; ++i) {
            vm.deal(staker(i), 1_000_000 * COIN);
        }
        coins = STAKERS * 1_000_000 * COIN + address(staking).balance;
        epochPower = totalPower();
    }

    /// @dev Returns an account that stakes: the people, then the operators.
    function staker(uint256 i) internal view returns (address) {
        i %= STAKERS;
        return i < PEOPLE ? people[i] : operator(i - PEOPLE);
    }

    /// @notice What holds after every call: the sums are those of their parts, the balance covers what is owed and is
    /// nothing else but what was forced upon it, and no coin is made or lost.
    function checkSums() external view {
        vm.assertEq(bytes(wrong).length, 0, wrong);
        (uint256 bonded, uint256 unbonding, uint256 unpaid) = staking.accounts();
        uint256 owed = staking.owed();
        vm.assertEq(bonded + unbonding + unpaid, owed, "owed is its parts");
        uint256 sum;
        for (uint256 i; i < registered.length; ++i) {
            sum += staking.getVotes(registered[i]);
        }
        vm.assertEq(sum, bonded, "votes are what is bonded");
        uint256 held = address(staking).balance;
        vm.assertEq(held, owed + surplus, "held is what is owed and what was forced");
        sum = held + address(treasury).balance;
        for (uint256 i; i < STAKERS; ++i) {
            sum += staker(i).balance;
        }
        vm.assertEq(sum, coins, "coins");
        vm.assertEq(address(treasury).balance, treasury.owed(), "treasury");
    }

    /// @notice What holds of everybody, and costs more to ask.
    function checkAll() public view {
        for (uint256 i; i < registered.length; ++i) {
            checkPool(registered[i]);
        }
        (, uint256 unbonding, uint256 unpaid) = staking.accounts();
        uint256 leaving;
        uint256 claimable;
        for (uint256 j; j < STAKERS; ++j) {
            Unbonding[] memory list = staking.unbondings(staker(j));
            vm.assertLe(list.length, 16, "bounded");
            for (uint256 i; i < list.length; ++i) {
                leaving += list[i].amount;
            }
            for (uint256 i; i < registered.length; ++i) {
                claimable += staking.rewards(staker(j), registered[i]);
            }
        }
        vm.assertLe(leaving, unbonding, "what unbonds is there");
        // Each unbonding is rounded down.
        vm.assertLe(unbonding, leaving + 16 * STAKERS, "and nothing else");
        vm.assertLe(claimable, unpaid, "rewards are there");
        vm.assertLe(unpaid, claimable + dust(), "and nothing else but dust");
        uint256 past = time() - 1;
        uint256 sum;
        for (uint256 i; i < registered.length; ++i) {
            sum += staking.getPastVotes(registered[i], past);
        }
        vm.assertEq(sum, staking.getPastTotalSupply(past), "past votes");
        (, uint256 total) = staking.validators(0, 0);
        vm.assertEq(total, registered.length, "validators");
    }

    /// @dev A validator's delegations have its shares among them, are worth no more than its tokens, and its delegators
    /// never had more votes than it.
    function checkPool(address operator_) private view {
        Validator memory v = staking.validator(operator_);
        vm.assertEq(v.tokens, staking.getVotes(operator_), "votes are tokens");
        uint256 past = time() - 1;
        uint256 shares;
        uint256 worth_;
        uint256 overrides;
        for (uint256 j; j < STAKERS; ++j) {
            (uint128 a, uint256 s,) = staking.delegation(staker(j), operator_);
            shares += s;
            worth_ += a;
            overrides += staking.getPastDelegation(staker(j), operator_, past);
        }
        vm.assertEq(shares, v.shares, "shares");
        vm.assertLe(worth_, v.tokens, "worth");
        // Each delegation is rounded down.
        if (shares != 0) vm.assertLe(v.tokens, worth_ + STAKERS, "and all of it");
        vm.assertLe(overrides, staking.getPastVotes(operator_, past), "overrides");
    }

    /// @dev What rounding may have left of rewards, in base units: what each call so far can leave at most, and what
    /// asking everybody can.
    function dust() private view returns (uint256) {
        return calls * ROUNDINGS + 3 * STAKERS * OPERATORS;
    }

    /// @notice The end of a history: everybody leaves, and nothing but the dust of rewards stays.
    function leave() external {
        checkAll();
        // The contract that refuses coins is replaced by one that takes them.
        vm.etch(people[PEOPLE - 1], "");
        pass(61 days, 20_000);
        for (uint256 j; j < STAKERS; ++j) {
            address who = staker(j);
            pay(who);
            for (uint256 i; i < registered.length; ++i) {
                vm.prank(who);
                staking.claimRewards(registered[i]);
                (, uint256 shares,) = staking.delegation(who, registered[i]);
                calls += 2;
                if (shares == 0) continue;
                vm.prank(who);
                staking.undelegate(registered[i], ALL);
            }
        }
        pass(61 days, 20_000);
        for (uint256 j; j < STAKERS; ++j) {
            pay(staker(j));
            vm.assertEq(staking.unbondings(staker(j)).length, 0, "all withdrawn");
            for (uint256 i; i < registered.length; ++i) {
                vm.assertEq(staking.rewards(staker(j), registered[i]), 0, "all claimed");
            }
        }
        (uint256 bonded, uint256 unbonding, uint256 unpaid) = staking.accounts();
        vm.assertEq(bonded, 0, "all left");
        vm.assertEq(unbonding, 0, "all paid");
        vm.assertLe(unpaid, dust(), "dust");
        staking.sweep();
        vm.assertEq(address(staking).balance, unpaid, "and nothing else is kept");
        uint256 held = address(treasury).balance;
        for (uint256 j; j < STAKERS; ++j) {
            held += staker(j).balance;
        }
        vm.assertEq(held + unpaid, coins, "all coins came home");
        held = treasury.owed();
        vm.prank(governor);
        treasury.spend(address(0x9a5e), held);
        vm.assertEq(address(treasury).balance, 0, "the treasury can spend all of it");
    }

    function pay(address who) private {
        if (staking.unbondings(who).length == 0) return;
        vm.prank(who);
        staking.withdraw();
    }
}
