// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarket} from "../interfaces/IMarket.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Pricing} from "../lib/Pricing.sol";
import {Reason} from "../lib/Reason.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {VoucherBatch} from "../lib/VoucherBatch.sol";
import {Order, Receipt, Session, SingleOrder} from "../Types.sol";
import {MarketVouchers} from "./MarketVouchers.sol";

/// @title MarketSettlement
/// @notice Batches: vouchers and single orders debit sessions, credits pay miners, the root proves receipts.
/// @dev Vouchers are 96 bytes each (session u64 ‖ through u64 ‖ cumulative u128 ‖ r ‖ vs), credits 36 bytes (miner ‖
/// minerTotal u128). They are taken in the order vouchers, orders, credits. An entry that does not hold is skipped
/// with an event; only a call that is no batch at all reverts. A voucher's cumulative counts against everything that
/// the session was debited, so orders above `through` are to be settled after the vouchers below them, not before.
abstract contract MarketSettlement is MarketVouchers {
    uint256 private constant CREDIT_BYTES = 36;
    uint8 private constant ORDER = 2;
    uint8 private constant CREDIT = 3;

    /// @dev What a batch has added up so far.
    struct Batch {
        address coordinator;
        bytes32 domain;
        uint128 debited;
        uint128 fee;
        uint128 paid;
    }

    /// @inheritdoc IMarket
    function settle(
        address coordinator,
        bytes calldata vouchers,
        SingleOrder[] calldata orders,
        bytes calldata credits,
        bytes32 root,
        uint32 count
    ) external nonReentrant {
        MarketState storage s = _state();
        if (msg.sender != coordinator && !IRegistry(s.registry).signerValid(COORDINATOR, coordinator, msg.sender)) {
            revert Unauthorized(msg.sender);
        }
        if (vouchers.length % VoucherBatch.BYTES != 0 || credits.length % CREDIT_BYTES != 0) revert BadLength();

        Batch memory b;
        b.coordinator = coordinator;
        b.domain = TypedData.separator(address(this));
        {
            (uint256 debited, uint256 fee) = _settleVouchers(coordinator, b.domain, vouchers);
            (b.debited, b.fee) = (uint128(debited), uint128(fee));
        }
        _settleOrders(b, orders);
        _book(coordinator, b.debited, b.fee);
        (address[] memory miners, uint128[] memory parts) = _settleCredits(b, credits);

        uint64 batch = ++s.batchCount[coordinator];
        if (root != 0) s.roots[coordinator][batch] = root;
        emit Settled(coordinator, batch, root, count, b.debited, b.paid);
        if (miners.length != 0) _report(miners, parts);
    }

    /// @inheritdoc IMarket
    function orderSettled(uint64 id, uint64 number) external view returns (bool) {
        MarketState storage s = _state();
        return number <= s.sessions[id].through || s.settledOrders[id][number >> 8] & (1 << (number & 255)) != 0;
    }

    /// @inheritdoc IMarket
    function batchCount(address coordinator) external view returns (uint64) {
        return _state().batchCount[coordinator];
    }

    /// @inheritdoc IMarket
    function batchRoot(address coordinator, uint64 batch) external view returns (bytes32) {
        return _state().roots[coordinator][batch];
    }

    function _settleOrders(Batch memory b, SingleOrder[] calldata orders) private {
        for (uint256 i; i < orders.length; ++i) {
            uint8 reason = _order(b, orders[i]);
            if (reason != Reason.NONE) emit EntrySkipped(b.coordinator, ORDER, uint32(i), reason);
        }
    }

    function _order(Batch memory b, SingleOrder calldata e) private returns (uint8) {
        MarketState storage s = _state();
        (uint64 id, uint64 number) = (e.order.session, e.order.number);
        Session storage x = s.sessions[id];
        if (x.state == 0) return Reason.UNKNOWN_SESSION;
        if (x.coordinator != b.coordinator) return Reason.WRONG_COORDINATOR;
        if (block.timestamp >= x.dueAt) return Reason.SESSION_OVER;

        mapping(uint256 => uint256) storage settled = s.settledOrders[id];
        uint256 bit = 1 << (number & 255);
        if (number <= x.through || settled[number >> 8] & bit != 0) return Reason.ORDER_SETTLED;
        if (x.debited >= x.deposit) return Reason.DEPOSIT_SPENT;
        uint8 reason = _proved(b, e, x);
        if (reason != Reason.NONE) return reason;

        settled[number >> 8] |= bit;
        (uint128 amount, uint128 fee) = _debit(id, x, b.coordinator, uint256(x.debited) + e.receipt.price);
        b.debited += amount;
        b.fee += fee;
        emit OrderSettled(id, number, amount);
        return Reason.NONE;
    }

    /// @dev Checks that the order is the client's, the receipt answers it, and both miner and coordinator signed.
    function _proved(Batch memory b, SingleOrder calldata e, Session storage x) private view returns (uint8) {
        Order calldata o = e.order;
        Receipt calldata r = e.receipt;
        bytes32 job = TypedData.order(b.domain, o);
        if (Signature.recover(job, e.orderR, e.orderVS) != x.spender) return Reason.BAD_SPENDER_SIGNATURE;
        if (
            r.version != 1 || r.order != job || r.session != o.session || r.client != x.client
                || r.coordinator != b.coordinator || r.model != o.model || (o.class != 0 && r.class != o.class)
        ) return Reason.RECEIPT_MISMATCH;
        if (!_candidate(o.miners, e.candidates, r.miner)) return Reason.NOT_CANDIDATE;
        if (r.startedAt > r.finishedAt || r.finishedAt > uint256(o.deadline) * 1000) return Reason.LATE;
        uint256 price = Pricing.price(r);
        if (r.price != (price < o.maxPrice ? price : o.maxPrice)) return Reason.WRONG_PRICE;

        IRegistry registry_ = IRegistry(_state().registry);
        bytes32 digest = TypedData.receipt(b.domain, r);
        address signer = Signature.recover(digest, e.receiptR, e.receiptVS);
        if (signer == address(0) || !registry_.signerValid(MINER, r.miner, signer)) return Reason.BAD_MINER_SIGNATURE;
        signer = Signature.recover(
            TypedData.countersignature(b.domain, digest, r.miner, e.minerTotal), e.counterR, e.counterVS
        );
        if (signer == address(0) || !registry_.signerValid(COORDINATOR, b.coordinator, signer)) {
            return Reason.BAD_COUNTERSIGNATURE;
        }
        return Reason.NONE;
    }

    /// @dev Says whether miner is among the candidates and these are the ones the order names.
    function _candidate(bytes32 miners, address[] calldata candidates, address miner) private pure returns (bool) {
        if (miners == 0) return true;
        bytes memory packed = new bytes(candidates.length * 20);
        bool found;
        for (uint256 i; i < candidates.length; ++i) {
            address a = candidates[i];
            if (i != 0 && a <= candidates[i - 1]) return false;
            if (a == miner) found = true;
            assembly ("memory-safe") {
                // 32 bytes are written and 20 of them kept; the last entry's excess lies in the array's padding.
                let at := add(add(packed, 0x20), mul(i, 20))
                mstore(at, or(shl(96, a), and(mload(at), 0xffffffffffffffffffffffff)))
            }
        }
        return found && keccak256(packed) == miners;
    }

    /// @dev Credits and pays miners; says whose jobs paid which fees.
    function _settleCredits(Batch memory b, bytes calldata credits)
        private
        returns (address[] memory miners, uint128[] memory parts)
    {
        uint256 n = credits.length / CREDIT_BYTES;
        miners = new address[](n);
        parts = new uint128[](n);
        uint128[] memory amounts = new uint128[](n);
        uint256 done;
        uint256 reported;
        for (uint256 i; i < n; ++i) {
            bytes calldata entry = credits[i * CREDIT_BYTES:(i + 1) * CREDIT_BYTES];
            address miner = address(bytes20(entry[0:20]));
            Payment memory p = _credit(b.coordinator, miner, uint128(bytes16(entry[20:36])));
            if (p.reason != Reason.NONE) {
                emit EntrySkipped(b.coordinator, CREDIT, uint32(i), p.reason);
                continue;
            }
            (miners[done], amounts[done], parts[done]) = (miner, p.paid, p.fees);
            if (p.fees != 0) reported = done + 1;
            ++done;
            b.paid += p.paid;
        }
        // All accounts are settled before the first coin moves.
        for (uint256 i; i < done; ++i) {
            _push(miners[i], amounts[i]);
        }
        // Nothing is reported of what came after the account's last coin.
        assembly ("memory-safe") {
            mstore(miners, reported)
            mstore(parts, reported)
        }
    }
}
