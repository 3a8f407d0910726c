// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarket} from "../interfaces/IMarket.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {DueQueue} from "../lib/DueQueue.sol";
import {Pricing} from "../lib/Pricing.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Session} from "../Types.sol";
import {MarketAccounts} from "./MarketAccounts.sol";

/// @title MarketSessions
/// @notice The life of a session: opened with a deposit, topped up, closed by agreement, alone or at expiry.
/// @dev Every session is in the queue at its expiry, and again where closing brings that forward, so it ends without
/// anybody's transaction. dueAt never moves later, and nothing is debited from then on.
abstract contract MarketSessions is MarketAccounts {
    using DueQueue for DueQueue.Queue;

    /// @dev More than one refund costs.
    uint256 private constant REFUND_GAS = 150_000;

    /// @inheritdoc IMarket
    function openSession(address coordinator, address spender, uint64 expiry)
        external
        payable
        nonReentrant
        returns (uint64 id)
    {
        MarketState storage s = _state();
        if (spender == address(0)) revert ZeroAddress();
        if (msg.value < s.params.minDeposit) revert BadAmount();
        if (expiry <= block.timestamp || expiry > block.timestamp + s.params.maxSessionDuration) {
            revert BadExpiry(expiry);
        }
        if (!IRegistry(s.registry).active(COORDINATOR, coordinator)) revert CoordinatorInactive(coordinator);

        uint96 deposit = uint96(_take(_fits(msg.value)));
        id = ++s.sessionCount;
        uint16 feeBps = s.params.feeBps;
        s.sessions[id] = Session({
            client: msg.sender,
            expiry: expiry,
            coordinator: coordinator,
            dueAt: expiry,
            spender: spender,
            feeBps: feeBps,
            state: OPEN,
            deposit: deposit,
            debited: 0,
            through: 0
        });
        s.queue.push(expiry, id);
        emit SessionOpened(id, msg.sender, coordinator, spender, deposit, expiry, feeBps);
    }

    /// @inheritdoc IMarket
    function topUp(uint64 id) external payable nonReentrant {
        Session storage x = _known(id);
        if (x.state != OPEN || block.timestamp >= x.dueAt) revert SessionNotOpen(id);
        if (msg.value == 0) revert BadAmount();
        uint96 deposit = uint96(_fits(x.deposit + msg.value));
        uint128 amount = _take(msg.value);
        x.deposit = deposit;
        emit SessionToppedUp(id, amount, deposit);
    }

    /// @inheritdoc IMarket
    function requestClose(uint64 id) external nonReentrant {
        Session storage x = _clients(id);
        if (x.state != OPEN || block.timestamp >= x.dueAt) revert SessionNotOpen(id);
        MarketState storage s = _state();
        x.state = CLOSING;
        uint64 closesAt = uint64(block.timestamp) + s.params.closeWindow;
        if (closesAt < x.dueAt) {
            x.dueAt = closesAt;
            s.queue.push(closesAt, id);
        } else {
            closesAt = x.dueAt;
        }
        emit SessionClosing(id, closesAt);
    }

    /// @inheritdoc IMarket
    function closeByAgreement(uint64 id, uint128 cumulative, bytes calldata signature) external nonReentrant {
        Session storage x = _clients(id);
        if (x.state == CLOSED || block.timestamp >= x.dueAt) revert SessionNotOpen(id);
        MarketState storage s = _state();
        address coordinator = x.coordinator;
        address signer =
            Signature.recover(TypedData.close(TypedData.separator(address(this)), id, cumulative), signature);
        if (signer == address(0) || !IRegistry(s.registry).signerValid(COORDINATOR, coordinator, signer)) {
            revert BadSignature();
        }
        (uint128 amount, uint128 fee) = _debit(id, x, coordinator, cumulative);
        _book(coordinator, amount, fee);
        x.dueAt = uint64(block.timestamp);
        _close(id, x);
    }

    /// @inheritdoc IMarket
    function refund(uint64 id) external nonReentrant {
        Session storage x = _known(id);
        if (x.state == CLOSED) revert SessionNotOpen(id);
        if (block.timestamp < x.dueAt) revert NotDue(x.dueAt);
        _close(id, x);
    }

    /// @inheritdoc IMarket
    /// @dev Nothing a user does makes this revert: queue and accounts are ours, coins are pushed with a fixed
    /// stipend, and what does not fit the gas or the count waits for the next block.
    function endBlock() external nonReentrant {
        if (msg.sender != SYSTEM) revert Unauthorized(msg.sender);
        MarketState storage s = _state();
        uint256 steps = STEPS;
        for (uint256 n = s.params.refundsPerBlock; n != 0 && gasleft() > steps * STEP_GAS + REFUND_GAS; n--) {
            uint64 id;
            (id, steps) = s.queue.pop(uint64(block.timestamp), steps);
            if (id == 0) break;
            Session storage x = s.sessions[id];
            // An entry of a session that ended sooner is used up and counts.
            if (x.state != CLOSED) _close(id, x);
        }
    }

    /// @inheritdoc IMarket
    function session(uint64 id) external view returns (Session memory) {
        return _state().sessions[id];
    }

    /// @inheritdoc IMarket
    function sessionCount() external view returns (uint64) {
        return _state().sessionCount;
    }

    /// @inheritdoc IMarket
    function dueQueue() external view returns (uint64 second, uint64 index, uint64 outstanding) {
        DueQueue.Queue storage q = _state().queue;
        return (q.second, q.index, q.outstanding);
    }

    /// @dev Debits a session up to min(total, deposit), and says how much that was and the fee inside it. The caller
    /// books both: amount − fee to the settlement account, fee to the fees.
    function _debit(uint64 id, Session storage x, address coordinator, uint256 total)
        internal
        returns (uint128 amount, uint128 fee)
    {
        (uint128 deposit, uint128 debited) = (x.deposit, x.debited);
        uint128 to = total < deposit ? uint128(total) : deposit;
        if (to <= debited) return (0, 0);
        unchecked {
            amount = to - debited;
        }
        fee = uint128(Pricing.fee(debited, to, x.feeBps));
        x.debited = uint96(to);
        emit Debited(id, coordinator, x.through, to, fee);
    }

    /// @dev Closes a session and pays the rest back.
    function _close(uint64 id, Session storage x) private {
        x.state = CLOSED;
        (address client, uint128 debited) = (x.client, x.debited);
        uint128 rest = x.deposit - debited;
        bool pushed = _push(client, rest);
        emit SessionClosed(id, client, debited, rest, pushed);
    }

    /// @dev Returns an amount that a session's deposit can be.
    function _fits(uint256 amount) private pure returns (uint256) {
        if (amount > type(uint96).max) revert BadAmount();
        return amount;
    }

    function _known(uint64 id) private view returns (Session storage x) {
        x = _state().sessions[id];
        if (x.state == 0) revert UnknownSession(id);
    }

    function _clients(uint64 id) private view returns (Session storage x) {
        x = _known(id);
        if (msg.sender != x.client) revert Unauthorized(msg.sender);
    }
}
