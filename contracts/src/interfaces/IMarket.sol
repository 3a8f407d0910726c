// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Limit, MarketParams, Receipt, Session, SingleOrder} from "../Types.sol";

/// @title IMarketEvents
/// @notice The events and errors of the Market.
interface IMarketEvents {
    /// @notice The coordinator is not registered, is jailed or has too little bond.
    error CoordinatorInactive(address coordinator);
    /// @notice There is no such session.
    error UnknownSession(uint64 session);
    /// @notice The session is closing, closed or due, and cannot do this any more.
    error SessionNotOpen(uint64 session);
    /// @notice The session is not due yet.
    error NotDue(uint64 dueAt);
    /// @notice The expiry is past or too far away.
    error BadExpiry(uint64 expiry);
    /// @notice An amount is zero, too small or more than there is.
    error BadAmount();
    /// @notice A signature is not by the key that must sign.
    error BadSignature();
    /// @notice Vouchers or credits are not a whole number of entries.
    error BadLength();
    /// @notice The claim delay has not passed.
    error ClaimTooEarly(uint64 earliest);
    /// @notice The receipt's version is not 1.
    error BadVersion(uint8 version);
    /// @notice The miner has been paid this total already.
    error NothingOwed();
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);
    /// @notice A parameter is out of its bounds.
    error BadParameter(string name);

    /// @notice A client locked a deposit with a coordinator.
    event SessionOpened(
        uint64 indexed session,
        address indexed client,
        address indexed coordinator,
        address spender,
        uint128 deposit,
        uint64 expiry,
        uint16 feeBps
    );
    /// @notice A deposit grew by amount, to deposit.
    event SessionToppedUp(uint64 indexed session, uint128 amount, uint128 deposit);
    /// @notice A client closes alone; the rest of the deposit is due at dueAt.
    event SessionClosing(uint64 indexed session, uint64 dueAt);
    /// @notice A session is closed: debited in all, refunded now, by a push or (pushed false) as withdrawable.
    event SessionClosed(uint64 indexed session, address indexed client, uint128 debited, uint128 refunded, bool pushed);
    /// @notice A session was debited: `debited` is its new total, `fee` the protocol's part of this debit.
    event Debited(uint64 indexed session, address indexed coordinator, uint64 through, uint128 debited, uint128 fee);
    /// @notice An order was settled by itself; `price` is what it debited.
    event OrderSettled(uint64 indexed session, uint64 number, uint128 price);
    /// @notice A miner was paid `paid`; `credited` is its new total with this coordinator.
    event Credited(address indexed coordinator, address indexed miner, uint128 credited, uint128 paid);
    /// @notice A batch was settled: the receipts' root and count, the sum of its debits and of its credits.
    event Settled(
        address indexed coordinator, uint64 indexed batch, bytes32 root, uint32 count, uint128 debited, uint128 paid
    );
    /// @notice An entry of a batch was skipped. kind 1 voucher, 2 order, 3 credit; reason as in {Reason}.
    event EntrySkipped(address indexed coordinator, uint8 kind, uint32 index, uint8 reason);
    /// @notice A miner claimed with its countersignature; fromBond of what was paid came from the bond.
    event Claimed(address indexed coordinator, address indexed miner, bytes32 receipt, uint128 paid, uint128 fromBond);
    /// @notice The bond behind a miner is, or from effectiveAt will be, amount.
    event LimitSet(address indexed coordinator, address indexed miner, uint128 amount, uint64 effectiveAt);
    /// @notice A push failed; the account may withdraw amount more.
    event Withdrawable(address indexed account, uint128 amount);
    /// @notice An account withdrew what a failed push had left.
    event Withdrawn(address indexed account, address indexed to, uint128 amount);
    /// @notice A coordinator took coins out of its settlement account.
    event SettlementWithdrawn(address indexed coordinator, uint128 amount);
    /// @notice Fees were handed on: to the Rewards, or, if they did not take them, to the Treasury.
    event FeesCollected(uint128 amount);
    /// @notice Coins that nobody is owed went to the Treasury.
    event Swept(uint256 amount);
    /// @notice The parameters changed.
    event ParamsSet(MarketParams params);
}

/// @title IMarket
/// @notice Sessions, settlement and claims: where clients' deposits become miners' pay. Direct jobs, at the same address,
/// are in IMarketJobs.
interface IMarket is IMarketEvents {
    /// @notice Locks the coins sent as a deposit with a coordinator; spender may sign orders and vouchers.
    function openSession(address coordinator, address spender, uint64 expiry) external payable returns (uint64 session);
    /// @notice Adds the coins sent to an open session's deposit.
    function topUp(uint64 session) external payable;
    /// @notice Closes alone: the rest is due at min(expiry, now + closeWindow). Client only.
    function requestClose(uint64 session) external;
    /// @notice Closes at once on the final amount that the coordinator signed (64 or 65 bytes). Client only.
    function closeByAgreement(uint64 session, uint128 cumulative, bytes calldata signature) external;
    /// @notice Pays back the rest of a session that is due. Anyone.
    function refund(uint64 session) external;
    /// @notice Settles a batch; see MarketSettlement. The coordinator, or a signing key of its.
    function settle(
        address coordinator,
        bytes calldata vouchers,
        SingleOrder[] calldata orders,
        bytes calldata credits,
        bytes32 root,
        uint32 count
    ) external;
    /// @notice Pays a miner what the coordinator countersigned, claimDelay after the receipt's end. Anyone.
    function claimReceipt(Receipt calldata receipt, uint128 minerTotal, bytes32 r, bytes32 vs) external;
    /// @notice Reserves bond for a miner: raising acts at once, lowering after holdDelay. Coordinator only.
    function setMinerLimit(address miner, uint128 amount) external;
    /// @notice Makes a lowering that is due take effect. Anyone.
    function applyLimit(address coordinator, address miner) external;
    /// @notice Pays the caller out of its settlement account.
    function withdrawSettlement(uint128 amount) external;
    /// @notice Pays what failed pushes left the caller.
    function withdraw(address payable to) external;
    /// @notice Has the Rewards divide the fees; if they do not, all goes to the Treasury. Anyone.
    function collectFees() external;
    /// @notice Moves coins that nobody is owed to the Treasury. Anyone.
    function sweep() external;
    /// @notice Pays back sessions that are due, oldest first, a bounded number. The node only.
    function endBlock() external;
    /// @notice Sets the parameters. Governor only.
    function setParams(MarketParams calldata params) external;

    /// @notice Returns a session; all zero when there is none.
    function session(uint64 id) external view returns (Session memory);
    /// @notice Returns the number of sessions ever opened, which is the newest one's id.
    function sessionCount() external view returns (uint64);
    /// @notice Says whether an order was settled by itself, or is covered by a voucher.
    function orderSettled(uint64 session, uint64 number) external view returns (bool);
    /// @notice Returns a coordinator's settlement account.
    function settlement(address coordinator) external view returns (uint128);
    /// @notice Returns what an account may withdraw.
    function withdrawable(address account) external view returns (uint128);
    /// @notice Returns what a coordinator has paid a miner in all.
    function credited(address coordinator, address miner) external view returns (uint128);
    /// @notice Returns the bond behind a miner, and a lowering that waits (nextAt 0: none).
    function minerLimit(address coordinator, address miner) external view returns (Limit memory);
    /// @notice Returns the sum of a coordinator's limits.
    function reserved(address coordinator) external view returns (uint128);
    /// @notice Returns the number of a coordinator's batches, which is the newest one's number.
    function batchCount(address coordinator) external view returns (uint64);
    /// @notice Returns the receipts' root of a batch; zero when it had none.
    function batchRoot(address coordinator, uint64 batch) external view returns (bytes32);
    /// @notice Returns the fees not yet collected.
    function fees() external view returns (uint128);
    /// @notice Returns what the contract owes to clients, coordinators, miners and the Treasury, exactly.
    function owed() external view returns (uint256);
    /// @notice Returns the queue of sessions: the cursor's second and place, and how many entries wait.
    function dueQueue() external view returns (uint64 second, uint64 index, uint64 outstanding);
    /// @notice Returns claimDelay + maxOrderDuration + margin: how long old keys and limits stay good.
    function holdDelay() external view returns (uint64);
    /// @notice Returns the parameters.
    function params() external view returns (MarketParams memory);
    /// @notice Returns the Registry.
    function registry() external view returns (address);
    /// @notice Returns the Treasury.
    function treasury() external view returns (address);
    /// @notice Returns the Rewards, or zero.
    function rewards() external view returns (address);
    /// @notice Returns the EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);
    /// @notice Returns the EIP-712 domain, as in ERC-5267.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}
