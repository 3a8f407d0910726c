// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DueQueue} from "../lib/DueQueue.sol";
import {Limit, MarketParams, Session} from "../Types.sol";

/// @title MarketStorage
/// @notice The Market's state, at its ERC-7201 place.
abstract contract MarketStorage {
    /// @notice The states of a session.
    uint8 internal constant OPEN = 1;
    uint8 internal constant CLOSING = 2;
    uint8 internal constant CLOSED = 3;
    /// @notice The Registry's roles.
    uint8 internal constant MINER = 1;
    uint8 internal constant COORDINATOR = 2;

    /// @notice A coordinator's settlement account, and the fees that were taken of the debits which filled it.
    /// @dev Whoever is paid out of it takes his part of these fees along: they are what the Rewards attribute to miners.
    struct Account {
        uint128 amount;
        uint128 fees;
    }

    /// @dev sessions comes first: light clients prove its slots.
    /// `owed` is the sum of all session remainders, settlement accounts, withdrawable amounts and fees, and of what direct
    /// jobs hold (JobStorage.locked).
    /// @custom:storage-location erc7201:aitbc.storage.Market
    struct MarketState {
        mapping(uint64 id => Session) sessions;
        uint128 owed;
        uint64 sessionCount;
        uint128 fees;
        address registry;
        address treasury;
        MarketParams params;
        DueQueue.Queue queue;
        mapping(uint64 session => mapping(uint256 word => uint256 bits)) settledOrders;
        mapping(address coordinator => Account) settlement;
        mapping(address account => uint128) withdrawable;
        mapping(address coordinator => mapping(address miner => uint128)) credited;
        mapping(address coordinator => mapping(address miner => Limit)) limits;
        mapping(address coordinator => uint128) reserved;
        mapping(address coordinator => uint64) batchCount;
        mapping(address coordinator => mapping(uint64 batch => bytes32)) roots;
        address rewards;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Market")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant MARKET_SLOT = 0xdf9633deceada3aad976f59fd7fade0da69af3a5265dae99170c36b0d8156300;

    function _state() internal pure returns (MarketState storage s) {
        bytes32 slot = MARKET_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
