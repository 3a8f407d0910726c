// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixture} from "./support/Fixture.sol";

/// @notice Dust sessions that all expire in one second. FLOOD may say how many.
/// @dev GasTest has the cost of a block with cold storage; here it is the bounds that count.
contract FloodTest is Fixture {
    function test_DustSessionsExpiringInOneSecond() public {
        uint256 n = vm.envOr("FLOOD", uint256(100_000));
        uint64 due = uint64(time()) + 1 hours;
        vm.deal(client, n * 1e15 + 5 ether);
        uint64 victim;
        for (uint256 i; i < n; ++i) {
            if (i == n / 2) victim = open(client, 5 ether, due);
            open(client, 1e15, due);
        }
        // Whoever does not want to wait helps itself.
        vm.warp(due);
        market.refund(victim);
        vm.assertEq(client.balance, 5 ether, "refunded at once");

        uint256 blocks;
        uint256 most;
        for (; market.owed() != 0; ++blocks) {
            vm.warp(due + blocks / 10); // ten blocks a second
            uint256 gas = gasleft();
            endBlock();
            gas -= gasleft();
            if (gas > most) most = gas;
            vm.assertLe(blocks, n / 64 + 2, "64 a block");
        }
        vm.assertEq(client.balance, n * 1e15 + 5 ether, "every unit came back");
        (,, uint64 outstanding) = market.dueQueue();
        if (outstanding != 0) endBlock();
        (,, outstanding) = market.dueQueue();
        vm.assertEq(outstanding, 0, "queue is empty");
        emit log_named_uint("sessions", n);
        emit log_named_uint("blocks", blocks);
        emit log_named_uint("most gas of one endBlock, storage warm", most);
        vm.assertLe(most, 10_000_000, "bounded");
    }

    /// @dev After a long halt the cursor catches up at a bounded cost a block.
    function test_LongHalt() public {
        uint64 id = open(client, 1 ether, uint64(time()) + 30 days);
        vm.warp(time() + 60 days);
        uint256 blocks;
        uint256 most;
        for (; market.session(id).state != 3; ++blocks) {
            uint256 gas = gasleft();
            endBlock();
            gas -= gasleft();
            if (gas > most) most = gas;
            vm.assertLe(blocks, 21, "a day and a half a block");
        }
        emit log_named_uint("blocks to catch up with 30 days", blocks);
        emit log_named_uint("most gas of one endBlock that finds nothing", most);
        vm.assertLe(most, 2_000_000, "bounded");
        // An idle queue is not walked at all.
        vm.warp(time() + 3650 days);
        uint64 next = open(client, 1 ether, uint64(time()) + 1);
        vm.warp(time() + 1);
        endBlock();
        vm.assertEq(market.session(next).state, 3, "at once");
    }
}
