// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakingEvents} from "../src/interfaces/IStakingEvents.sol";
import {Mode, StakingParams} from "../src/StakingTypes.sol";
import {StakingFixture} from "./support/StakingFixture.sol";

/// @notice Who earns what.
contract StakingRewardsTest is StakingFixture {
    uint256 private constant PEOPLE = 4;
    uint256 private constant VALIDATORS = 3;

    address private alice = address(0xa11ce);
    /// @dev The plain account of what each has earned, in units of 10^-18 of the base unit.
    mapping(address who => mapping(uint256 validator => uint256)) private plain;
    uint256 private put;
    uint256 private paid;

    function setUp() public {
        StakingParams memory p = stakingParams();
        p.maxMissed = 0; // one absence jails
        deploy(Mode.POS, p, VALIDATORS);
    }

    function test_CommissionAndShares() public {
        delegate(alice, 0, 1_000 * COIN);
        distribute(400 * COIN); // 4,000 coins are active: 200 for validator 0, of which 10 % is commission
        near(staking.rewards(alice, operator(0)), 90 * COIN, "alice");
        near(staking.rewards(operator(0), operator(0)), 110 * COIN, "operator");
        near(staking.rewards(operator(1), operator(1)), 100 * COIN, "its own and its commission");
        near(claim(alice, 0), 90 * COIN, "paid");
        near(alice.balance, 90 * COIN, "has");
        vm.assertEq(claim(alice, 0), 0, "once");
        near(claim(operator(0), 0), 110 * COIN, "operator");
        (,, uint256 unpaid) = staking.accounts();
        near(200 * COIN, unpaid, "the others'");
        checkBooks();
    }

    function test_OnlyTheSetEarns() public {
        create(8, 1_000 * COIN);
        distribute(300 * COIN);
        vm.assertEq(staking.rewards(operator(8), operator(8)), 0, "not in the set");
        endEpoch();
        distribute(400 * COIN);
        near(staking.rewards(operator(8), operator(8)), 100 * COIN, "in the set");
        doubleSign(8);
        distribute(300 * COIN);
        near(staking.rewards(operator(8), operator(8)), 100 * COIN, "out again");
        near(claim(operator(8), 8), 100 * COIN, "what it earned stays its own");
        checkBooks();
    }

    function test_NobodyIsActive() public {
        for (uint256 i; i < VALIDATORS; ++i) {
            undelegate(operator(i), i, ALL);
        }
        distribute(5 * COIN);
        vm.assertEq(treasury.owed(), 5 * COIN, "to the Treasury");
        checkBooks();
    }

    function test_LeavingKeepsWhatWasEarned() public {
        delegate(alice, 0, 1_000 * COIN);
        distribute(400 * COIN);
        undelegate(alice, 0, ALL);
        distribute(300 * COIN);
        near(claim(alice, 0), 90 * COIN, "earned before");
        checkBooks();
    }

    function test_CommissionChangesCountFromNow() public {
        delegate(alice, 0, 1_000 * COIN);
        distribute(400 * COIN);
        pass(1 days, 1);
        vm.prank(operator(0));
        staking.setCommission(1_100);
        near(staking.rewards(alice, operator(0)), 90 * COIN, "10 %, as it was");
        distribute(400 * COIN);
        near(staking.rewards(alice, operator(0)), 90 * COIN + 89 * COIN, "11 % from now on");
        near(staking.rewards(operator(0), operator(0)), 110 * COIN + 111 * COIN, "the operator's");
    }

    /// @dev Random delegating, leaving, moving, claiming, slashing and distributing, beside a loop over all
    /// delegations that divides each distribution by worth.
    function testFuzz_AsALoopOverAllDelegatorsWould(uint256 seed) public {
        for (uint256 step; step < 40; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            address who = address(uint160(0xbeef00 + (seed >> 8) % PEOPLE));
            uint256 i = (seed >> 16) % VALIDATORS;
            uint128 amount = uint128(1 + (seed >> 32) % (1_000 * COIN));
            uint256 kind = seed % 10;
            if (kind < 3) {
                delegate(who, i, amount);
            } else if (kind == 3 && worth(who, i) != 0) {
                uint128 part = worth(who, i) < amount ? ALL : amount;
                vm.prank(who);
                try staking.undelegate(operator(i), part) {} catch {}
            } else if (kind == 4 && worth(who, i) != 0) {
                vm.prank(who);
                try staking.redelegate(operator(i), operator((i + 1) % VALIDATORS), ALL) {} catch {}
            } else if (kind == 5) {
                take(who, i);
            } else if (
                kind == 6 && power(i) != 0 && power(i) * 3 <= totalPower() && !staking.validator(operator(i)).jailed
            ) {
                jail(i);
            } else if (kind == 7 && staking.validator(operator(i)).jailed) {
                pass(2 hours, 1);
                vm.prank(operator(i));
                staking.unjail();
                endEpoch();
            } else {
                share(amount);
            }
            compare();
        }
        for (uint256 p; p < PEOPLE; ++p) {
            for (uint256 i; i < VALIDATORS; ++i) {
                take(address(uint160(0xbeef00 + p)), i);
            }
        }
        for (uint256 i; i < VALIDATORS; ++i) {
            take(operator(i), i);
        }
        (,, uint256 unpaid) = staking.accounts();
        vm.assertEq(put - paid, unpaid, "falls by what is paid");
        vm.assertLe(unpaid, 10_000, "only dust stays");
        checkBooks();
    }

    function take(address who, uint256 i) private {
        uint256 due = staking.rewards(who, operator(i));
        uint256 got = claim(who, i);
        vm.assertEq(got, due, "paid as shown");
        paid += got;
        plain[who][i] -= got * 1e18 < plain[who][i] ? got * 1e18 : plain[who][i];
    }

    function share(uint128 amount) private {
        uint256 active;
        for (uint256 i; i < VALIDATORS; ++i) {
            if (power(i) != 0) active += tokens(i);
        }
        for (uint256 i; i < VALIDATORS; ++i) {
            if (power(i) == 0) continue;
            uint256 part = uint256(amount) * 1e18 * tokens(i) / active;
            plain[operator(i)][i] += part / 10;
            for (uint256 p; p <= PEOPLE; ++p) {
                address who = p == PEOPLE ? operator(i) : address(uint160(0xbeef00 + p));
                (, uint256 shares,) = staking.delegation(who, operator(i));
                plain[who][i] += (part - part / 10) * shares / staking.validator(operator(i)).shares;
            }
        }
        distribute(amount);
        put += amount;
    }

    /// @dev Never more than the loop says, and less by rounding only.
    function compare() private view {
        uint256 claimable;
        for (uint256 i; i < VALIDATORS; ++i) {
            for (uint256 p; p <= PEOPLE; ++p) {
                address who = p == PEOPLE ? operator(i) : address(uint160(0xbeef00 + p));
                uint256 due = staking.rewards(who, operator(i));
                claimable += due;
                vm.assertLe(due, plain[who][i] / 1e18 + 100, "not more");
                vm.assertGe(due + 100, plain[who][i] / 1e18, "not less");
            }
        }
        (,, uint256 unpaid) = staking.accounts();
        vm.assertLe(claimable, unpaid, "claimable is there");
    }
}
