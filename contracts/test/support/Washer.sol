// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RewardsParams} from "../../src/StakingTypes.sol";
import {MarketParams} from "../../src/Types.sol";
import {Issuing} from "./Issuing.sol";

/// @notice A network with one inhabitant: client, coordinator and miner at once, and owner of all stake.
/// @dev What stakers get lies in the purse that stands for Staking, and is his.
contract Washer is Issuing {
    address public immutable attacker;

    uint64[] private open_;
    mapping(uint64 session => uint64) private through;
    uint256 public feesPaid;

    constructor(address attacker_) {
        attacker = attacker_;
    }

    function setUp() public virtual override {
        (client, coordinator, miner) = (attacker, attacker, attacker);
        deploy();
        vm.deal(attacker, 1_000_000 ether);
        enrol(COORDINATOR, attacker, coordinatorSigner, 10_000 ether);
        enrol(MINER, attacker, minerSigner, 1_000 ether);
    }

    function openOne(uint256 amount) external {
        open_.push(open(attacker, within(amount, 1e15, 10_000 ether), uint64(time()) + 10 days));
    }

    function debit(uint256 which, uint256 amount) external {
        if (open_.length == 0) return;
        uint64 id = open_[which % open_.length];
        uint128 already = market.session(id).debited;
        uint256 before = market.fees();
        settleVouchers(voucher(id, ++through[id], already + uint128(within(amount, 0, 10_000 ether))));
        feesPaid += market.fees() - before;
    }

    function pay(uint256 amount) external {
        uint128 account = market.settlement(attacker);
        if (account == 0) return;
        settleCredits(credit(attacker, market.credited(attacker, attacker) + uint128(within(amount, 1, account))));
    }

    function takeOut(uint256 amount) public {
        uint128 account = market.settlement(attacker);
        if (account == 0) return;
        vm.prank(attacker);
        market.withdrawSettlement(uint128(within(amount, 1, account)));
    }

    function collectFees() public {
        market.collectFees();
    }

    /// @dev Ends a block at the time that it is.
    function endOne() external {
        tick(0);
        endBlock();
    }

    function setFee(uint16 feeBps) external {
        MarketParams memory p = marketParams();
        p.feeBps = feeBps % 2_001;
        vm.prank(governor);
        market.setParams(p);
    }

    function setRewards(uint256 rate, uint64 epoch, uint16 f, uint16 g) external {
        RewardsParams memory p = rewardsParams();
        p.stakersPerSecond = uint128(rate % 1e18);
        p.minersPerSecond = uint128(bound(rate, 0, 2 ** 67));
        p.epoch = uint64(bound(epoch, 60, 30 days));
        (p.minerFeeBps, p.stakerFeeBps) = (f % 5_001, g % 5_000);
        vm.prank(governor);
        rewards.setParams(p);
    }

    /// @dev All epochs' pay. Whoever holds all stake has no hurry otherwise.
    function claimAll() public {
        uint64 n = rewards.epoch() - 1;
        if (n == 0) return;
        uint64[] memory list = new uint64[](n);
        for (uint64 i; i < n; ++i) {
            list[i] = i + 1;
        }
        try rewards.claim(attacker, list) {} catch {}
    }

    /// @dev All that is the attacker's comes home: accounts, sessions that are due, the stakers' part, miners' pay.
    function comeHome() external {
        takeOut(type(uint256).max);
        for (uint256 i; i < open_.length; ++i) {
            if (market.session(open_[i]).state != 3) market.refund(open_[i]);
        }
        if (market.withdrawable(attacker) != 0) {
            vm.prank(attacker);
            market.withdraw(payable(attacker));
        }
        collectFees();
        claimAll();
    }

    function wealth() external view returns (uint256) {
        return attacker.balance + address(stakers).balance;
    }

    /// @dev Folds an amount into its bounds; the greatest number is the greatest amount.
    function within(uint256 x, uint256 low, uint256 high) private pure returns (uint256) {
        return x == type(uint256).max ? high : bound(x, low, high);
    }

    /// @dev What the attacker could claim now.
    function claimable() external view returns (uint256 sum) {
        for (uint64 i = 1; i < rewards.epoch(); ++i) {
            (, uint128 part) = rewards.work(attacker, i);
            sum += part;
        }
    }

    function books() external view returns (uint256 owed, uint256 held, uint256 marketOwed, uint256 marketHeld) {
        return (rewards.owed(), address(rewards).balance, market.owed(), address(market).balance);
    }
}
