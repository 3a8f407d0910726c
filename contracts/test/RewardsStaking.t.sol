// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GovernanceFixture} from "./support/GovernanceFixture.sol";

/// @notice Rewards and Staking as they stand in genesis, and what their part of governance and a block's end costs.
/// @dev Isolation makes every call a transaction: storage is cold, and calldata and the 21,000 are counted.
/// forge-config: default.isolate = true
contract RewardsStakingTest is GovernanceFixture {
    function test_WhatIsIssuedIsTheStakers() public {
        uint256 before = address(staking).balance;
        vm.warp(time() + 10);
        uint128 made = rewards.issuance();
        issue();
        emit log_named_uint("Rewards.endBlock", vm.lastCallGas().gasTotalUsed);
        vm.assertEq(made, 2 ether, "twenty seconds' worth since genesis and two steps of ten");
        vm.assertEq(address(staking).balance - before, made, "distributed");
        assertStakersHave(made);
    }

    function test_FeesAreTheStakersToo() public {
        rewards.divide{value: 10 ether}();
        emit log_named_uint("divide", vm.lastCallGas().gasTotalUsed);
        assertStakersHave(3 ether);
        vm.assertEq(treasury.owed(), 7 ether, "the rest");
    }

    function test_WhatVotingCosts() public {
        uint256 id = propose(operator(1), plan(address(faucet), abi.encodeCall(faucet.drain, ())));
        emit log_named_uint("propose", vm.lastCallGas().gasTotalUsed);
        vm.warp(gov.proposalSnapshot(id) + 1);
        vote(0, id, 1);
        emit log_named_uint("castVote", vm.lastCallGas().gasTotalUsed);
        overrideVote(bob, id, 0, 0);
        emit log_named_uint("castOverrideVote", vm.lastCallGas().gasTotalUsed);
        vm.warp(gov.proposalDeadline(id) + 1);
        gov.queue(id);
        emit log_named_uint("queue", vm.lastCallGas().gasTotalUsed);
        vm.warp(gov.proposalEta(id));
        gov.execute(id);
        emit log_named_uint("execute", vm.lastCallGas().gasTotalUsed);
        vm.deal(address(faucet), 100 ether);
        faucet.drip(alice);
        emit log_named_uint("drip", vm.lastCallGas().gasTotalUsed);
    }

    function issue() private {
        uint128 made = rewards.issuance();
        vm.deal(SYSTEM, made);
        vm.prank(SYSTEM);
        rewards.endBlock{value: made}();
    }

    /// @dev All of it but for rounding, commission included.
    function assertStakersHave(uint256 amount) private view {
        uint256 sum =
            staking.rewards(alice, operator(0)) + staking.rewards(bob, operator(0)) + staking.rewards(bob, operator(1));
        for (uint256 i; i < 3; ++i) {
            sum += staking.rewards(operator(i), operator(i));
        }
        vm.assertLe(sum, amount, "no more");
        vm.assertGe(sum + 20, amount, "no less");
    }
}
