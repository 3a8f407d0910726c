// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A client's authority to charge for one job, signed by the session's spender key.
/// @dev Its EIP-712 digest is the job's id. `class` and `miners` are zero for "any".
struct Order {
    uint64 session;
    uint64 number;
    bytes32 model;
    bytes32 class;
    bytes32 input;
    bytes32 miners;
    uint128 maxPrice;
    uint64 deadline;
}

/// @notice What ran, on which input, with which output and for how much; signed by the miner.
/// @dev Rates are base units per 10^6 tokens, per second of computeMillis, and per item; startedAt and finishedAt are
/// milliseconds since 1970.
struct Receipt {
    uint8 version;
    bytes32 order;
    uint64 session;
    address client;
    address coordinator;
    address miner;
    bytes32 model;
    bytes32 class;
    bytes32 output;
    uint64 promptTokens;
    uint64 completionTokens;
    uint64 computeMillis;
    uint64 items;
    uint128 promptRate;
    uint128 completionRate;
    uint128 secondRate;
    uint128 itemRate;
    uint128 price;
    uint32 temperatureMilli;
    uint32 topPMilli;
    uint32 topK;
    uint64 seed;
    uint64 startedAt;
    uint64 finishedAt;
    uint8 level;
    bytes32 evidence;
}

/// @notice An order that is settled by itself, with everything that proves it was served.
/// @dev Signatures are EIP-2098: r and (parity ‖ s). `candidates` are the miners that the client accepts,
/// ascending, and empty when `order.miners` is zero.
struct SingleOrder {
    Order order;
    bytes32 orderR;
    bytes32 orderVS;
    address[] candidates;
    Receipt receipt;
    bytes32 receiptR;
    bytes32 receiptVS;
    uint128 minerTotal;
    bytes32 counterR;
    bytes32 counterVS;
}

/// @notice A client's deposit with one coordinator. Records are kept after closing.
/// @dev The order of fields is protocol: light clients prove the slots. Slot 0 client|expiry, 1 coordinator|dueAt,
/// 2 spender|feeBps|state, 3 deposit|debited|through: what a voucher changes is one slot.
struct Session {
    address client;
    uint64 expiry;
    address coordinator;
    uint64 dueAt;
    address spender;
    uint16 feeBps;
    uint8 state;
    uint96 deposit;
    uint96 debited;
    uint64 through;
}

/// @notice The Market's parameters. Times are seconds, feeBps is in 1/10,000.
struct MarketParams {
    uint16 feeBps;
    uint128 minDeposit;
    uint64 maxSessionDuration;
    uint64 closeWindow;
    uint64 maxOrderDuration;
    uint64 margin;
    uint64 claimDelay;
    uint16 refundsPerBlock;
}

/// @notice The Registry's parameters. Times are seconds.
struct RegistryParams {
    uint128 minMinerStake;
    uint128 minCoordinatorBond;
    uint64 unbondDelay;
    uint64 jailPeriod;
}

/// @notice A miner or coordinator. `reserved` is the part of a coordinator's bond that stands behind miners' limits.
/// @dev While a replacement waits, oldSigner is the signer still in force and oldSignerUntil is already set.
struct Participant {
    uint128 stake;
    uint128 unbonding;
    uint64 unbondAt;
    uint128 reserved;
    address signer;
    address nextSigner;
    uint64 nextSignerAt;
    address oldSigner;
    uint64 oldSignerUntil;
    bytes32 sealingKeyHash;
    bytes32 nextSealingKeyHash;
    uint64 jailedUntil;
    bool registered;
    string endpoint;
}

/// @notice How much of a coordinator's bond stands behind one miner, and a lowering that waits.
struct Limit {
    uint128 amount;
    uint128 nextAmount;
    uint64 nextAt;
}
