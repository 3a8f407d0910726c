// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";

/// @notice The node's part in issuance: it makes the coins that Rewards asks for.
abstract contract Issuing is Fixture {
    /// @dev Ends a block some seconds later, as the node does, and says what was issued with it.
    function tick(uint256 elapsed) internal returns (uint128 made) {
        vm.warp(time() + elapsed);
        made = rewards.issuance();
        vm.deal(SYSTEM, made);
        vm.prank(SYSTEM);
        rewards.endBlock{value: made}();
    }

    /// @dev Blocks of a minute each until the running epoch is over.
    function passEpoch() internal returns (uint64 over) {
        over = rewards.epoch();
        while (rewards.epoch() == over) {
            tick(60);
        }
    }

    /// @dev A session's debit of amount, and all that it earned paid to a miner.
    function trade(address payee, uint128 amount) internal returns (uint128 paidFee) {
        uint64 id = open(amount);
        uint128 before = market.fees();
        settleVouchers(voucher(id, 1, amount));
        paidFee = market.fees() - before;
        settleCredits(credit(payee, market.credited(coordinator, payee) + amount - paidFee));
    }
}
