// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pricing} from "../lib/Pricing.sol";
import {Reason} from "../lib/Reason.sol";
import {VoucherBatch} from "../lib/VoucherBatch.sol";
import {MarketCredits} from "./MarketCredits.sol";

/// @title MarketVouchers
/// @notice Debits sessions by their spenders' vouchers.
abstract contract MarketVouchers is MarketCredits {
    using VoucherBatch for VoucherBatch.Scratch;

    uint8 private constant VOUCHER = 1;

    /// @dev Settles packed vouchers of one coordinator, whole ones, and says how much they debited and the fee inside.
    /// Both sums are parts of deposits, whose own sum is below 2^128.
    function _settleVouchers(address coordinator, bytes32 domain, bytes calldata vouchers)
        internal
        returns (uint256 debited, uint256 fee)
    {
        if (vouchers.length == 0) return (0, 0);
        VoucherBatch.Scratch scratch = VoucherBatch.prepare(domain, _state().sessions);
        uint256 from;
        assembly ("memory-safe") {
            from := vouchers.offset
        }
        unchecked {
            uint256 key = uint256(uint160(coordinator)) << 96;
            uint256 end = from + vouchers.length;
            for (uint256 offset = from; offset < end; offset += VoucherBatch.BYTES) {
                (uint256 reason, uint256 amount, uint256 part) = _voucher(key, scratch, offset);
                if (reason == Reason.NONE) {
                    debited += amount;
                    fee += part;
                } else {
                    uint256 index = (offset - from) / VoucherBatch.BYTES;
                    emit EntrySkipped(coordinator, VOUCHER, uint32(index), uint8(reason));
                }
            }
        }
    }

    /// @param key the coordinator in the upper 160 bits
    function _voucher(uint256 key, VoucherBatch.Scratch scratch, uint256 offset)
        private
        returns (uint256 reason, uint256 amount, uint256 fee)
    {
        unchecked {
            (uint256 id, uint256 through, uint256 cumulative) = VoucherBatch.fields(offset);
            uint256 base = scratch.locate(id);
            {
                (uint256 owner, uint256 dueAt) = VoucherBatch.owner(base);
                if (owner != key) return (owner == 0 ? Reason.UNKNOWN_SESSION : Reason.WRONG_COORDINATOR, 0, 0);
                if (block.timestamp >= dueAt) return (Reason.SESSION_OVER, 0, 0);
            }
            uint256 word = VoucherBatch.terms(base);
            if (!VoucherBatch.isSpender(word, scratch.signer(offset, id, through, cumulative))) {
                return (Reason.BAD_SPENDER_SIGNATURE, 0, 0);
            }
            (uint256 deposit, uint256 debited, uint256 before) = VoucherBatch.funds(base);
            reason = Reason.STALE;
            if (through > before) reason = Reason.NONE;
            else through = before;
            if (cumulative > deposit) cumulative = deposit;
            if (cumulative > debited) {
                amount = cumulative - debited;
                fee = Pricing.fee(debited, cumulative, VoucherBatch.feeBpsOf(word));
                reason = Reason.NONE;
            } else {
                cumulative = debited;
            }
            if (reason == Reason.NONE) VoucherBatch.setFunds(base, deposit, cumulative, through);
            if (amount != 0) VoucherBatch.emitDebited(Debited.selector, id, key, through, cumulative, fee);
        }
    }
}
