// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a client orders. Times are seconds; `class`, `model` and `sealTo` may be zero.
/// @dev `spec` is the keccak of the document that says what to do. Without a miner's acceptance before acceptBy, and a
/// result before deadline, the chain pays back. With callbackGas the client is called with the output, which must then
/// be posted. sealTo is the X25519 key that the output is sealed to; zero for an output that everybody may read.
struct JobTerms {
    bytes32 spec;
    bytes32 model;
    bytes32 class;
    bytes32 sealTo;
    uint8 level;
    uint64 acceptBy;
    uint64 deadline;
    uint32 callbackGas;
}

/// @notice The EIP-712 struct whose digest names a direct job in receipts, where an order's digest stands otherwise.
/// @dev Nobody signs it: the client's transaction is the order. `miners` is as in Order.
struct DirectJob {
    uint64 job;
    address client;
    bytes32 spec;
    bytes32 model;
    bytes32 class;
    bytes32 sealTo;
    bytes32 miners;
    uint8 level;
    uint128 fee;
    uint64 acceptBy;
    uint64 deadline;
    uint32 callbackGas;
}

/// @notice A direct job. Records are kept after the end.
/// @dev dueAt is the one deadline of the state it is in. fee is what the client locked, price what the miner asks of it.
/// Each bond, the miner's and that of a challenge, is `bond`. receipt is the receipt's digest, delivery the keccak of
/// the bytes that answer a challenge.
struct Job {
    address client;
    uint64 acceptBy;
    uint8 state;
    uint8 level;
    uint16 feeBps;
    address miner;
    uint64 dueAt;
    uint32 callbackGas;
    uint128 fee;
    uint128 price;
    uint128 bond;
    uint64 deadline;
    uint32 challengeWindow;
    uint32 answerWindow;
    bytes32 spec;
    bytes32 model;
    bytes32 class;
    bytes32 sealTo;
    bytes32 receipt;
    bytes32 delivery;
}

/// @notice The parameters of direct jobs. Times are seconds. A bond is the greater of minBond and bondBps of the fee.
struct JobParams {
    uint128 minFee;
    uint128 minBond;
    uint16 bondBps;
    uint64 maxDuration;
    uint32 challengeWindow;
    uint32 answerWindow;
    uint16 jobsPerBlock;
    uint8 maxLevel;
}
