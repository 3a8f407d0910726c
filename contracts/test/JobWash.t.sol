// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IMarketJobs} from "../src/interfaces/IMarketJobs.sol";
import {JobFixture} from "./support/JobFixture.sol";
import {Vm} from "./support/Vm.sol";
import {Washer} from "./support/Washer.sol";

/// @notice The washer with direct jobs: client, miner and owner of all stake at once.
contract JobWasher is Washer, JobFixture {
    constructor(address attacker_) Washer(attacker_) {}

    function setUp() public override(Washer, JobFixture) {
        Washer.setUp();
        jobs = IMarketJobs(address(market));
    }

    /// @dev A job from its order to its end, by one of its ways: acknowledged, not challenged, delivered; or not.
    function job(uint256 amount, uint256 price, uint256 way) external {
        amount = bound(amount, 1e15, 10_000 ether);
        uint256 before = market.fees();
        uint64 id = create(amount);
        if (way % 6 == 0) return end(id);
        accept(id);
        if (way % 6 == 1) return end(id);
        submit(id, uint128(bound(price, 0, amount)));
        if (way % 6 == 2) {
            acknowledge(id);
        } else if (way % 6 == 3) {
            end(id);
        } else {
            challenge(id);
            if (way % 6 == 4) deliver(id, OUTPUT);
            else end(id);
        }
        feesPaid += market.fees() - before;
    }

    function end(uint64 id) private {
        vm.warp(jobs.job(id).dueAt);
        jobs.expireJob(id);
    }
}

/// @notice Trading with oneself by direct jobs loses money, as by sessions: the same history twice, once without the jobs.
contract JobWashTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    JobWasher private busy;
    Washer private idle;

    function setUp() public {
        vm.warp(1_800_000_000);
        busy = JobWasher(payable(Code.make("JobWash.t.sol:JobWasher", abi.encode(address(0xa77ac0)))));
        idle = Washer(payable(Code.make("Washer.sol:Washer", abi.encode(address(0xa77ac1)))));
        busy.setUp();
        idle.setUp();
    }

    function testFuzz_WashingByJobsLoses(
        uint256[3] calldata amounts,
        uint256[3] calldata prices,
        uint256[3] calldata ways,
        uint16 feeBps,
        uint16[2] calldata f,
        uint16[2] calldata g,
        bool early
    ) public {
        busy.setFee(feeBps);
        idle.setFee(feeBps);
        params(f[0], g[0]);
        skip();
        for (uint256 i; i < amounts.length; ++i) {
            busy.job(amounts[i], prices[i], ways[i]);
        }
        if (early) busy.collectFees();
        params(f[1], g[1]);
        skip();
        judge();
    }

    /// @dev The most that the setters allow.
    function test_TheBestWashByJobsStillLoses() public {
        busy.setFee(2_000);
        idle.setFee(2_000);
        params(5_000, 0);
        skip();
        busy.job(10_000 ether, 10_000 ether, 2);
        params(0, 4_999);
        skip();
        vm.assertEq(busy.feesPaid(), 2_000 ether, "fees");
        judge();
        vm.assertEq(idle.wealth() - busy.wealth(), 2_000 ether / 10_000, "one part in 10,000 of the fees");
    }

    function judge() private {
        skip();
        busy.comeHome();
        idle.comeHome();
        if (busy.feesPaid() == 0) {
            vm.assertEq(busy.wealth(), idle.wealth(), "without fees nothing is lost or won");
        } else {
            vm.assertGe(
                idle.wealth() - busy.wealth(), (busy.feesPaid() + 9_999) / 10_000, "a part of the fees at least"
            );
        }
        (uint256 owed,, uint256 marketOwed, uint256 marketHeld) = busy.books();
        vm.assertEq(owed, 0, "all was claimed");
        vm.assertEq(marketOwed, 0, "the market owes nobody");
        vm.assertEq(marketHeld, 0, "and holds nothing");
    }

    function params(uint16 f, uint16 g) private {
        busy.setRewards(2 ** 67, 1 hours, f, g);
        idle.setRewards(2 ** 67, 1 hours, f, g);
    }

    /// @dev On to the next epoch, with a minute of it charged.
    function skip() private {
        for (uint256 i; i < 2; ++i) {
            vm.warp(vm.getBlockTimestamp() + (i == 0 ? 60 : 31 days));
            busy.endOne();
            idle.endOne();
        }
    }
}
