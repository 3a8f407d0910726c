// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {Mode, StakingParams} from "../StakingTypes.sol";

/// @title StakingStorage
/// @notice The state of Staking, at its ERC-7201 place.
abstract contract StakingStorage {
    /// @notice How many candidates there are at most, and how many members the set, with those who wait to leave it.
    uint256 internal constant MAX_CANDIDATES = 200;
    /// @notice Fixed point of rewards for a token and for a share.
    uint256 internal constant Q128 = 1 << 128;
    /// @notice All of a bucket: what slashing has taken of it is a part of this.
    uint64 internal constant WHOLE = 1e18;
    /// @notice A pool that has more shares than this for each coin takes no more: its arithmetic is worn out.
    uint256 internal constant WORN_OUT = 1e9;

    /// @dev What left a validator on a day: coins that unbond, divided into shares; and, for coins that were
    /// redelegated, how much of WHOLE the validator has lost by slashing for that day or one before.
    struct Bucket {
        uint128 amount;
        uint64 lost;
        bool used;
        uint256 shares;
    }

    /// @dev index is rewards for a share, paidIndex the global index that it was made with. place is one more than the
    /// place in the list of candidates. lastDay is that of the last bucket used.
    struct ValidatorState {
        address consensus;
        uint64 power;
        uint16 commissionBps;
        uint16 maxDailyChangeBps;
        uint128 tokens;
        uint64 jailedUntil;
        uint32 number;
        bool jailed;
        bool tombstoned;
        uint8 place;
        uint208 shares;
        uint48 commissionSetAt;
        uint64 missedWindow;
        uint32 missed;
        uint32 lastDay;
        uint128 commission;
        uint256 paidIndex;
        uint256 index;
        bytes32 x;
        bytes32 y;
        string moniker;
        mapping(uint256 day => Bucket) buckets;
        Checkpoints.Trace208 tokensAt;
        Checkpoints.Trace208 sharesAt;
    }

    /// @dev Coins that came by redelegation, and are liable for what their former validator did until that day. lost is
    /// the bucket's when the lien was made, or settled last.
    struct Lien {
        address from;
        uint32 day;
        uint64 until;
        uint128 amount;
        uint64 lost;
        uint64 untilBlock;
    }

    /// @dev A delegation.
    struct Stake {
        Checkpoints.Trace208 shares;
        uint256 index;
        uint128 accrued;
        Lien[] liens;
    }

    /// @dev Shares of a bucket that are a delegator's.
    struct Leaving {
        address operator;
        uint32 day;
        uint64 dueAt;
        uint192 shares;
        uint64 dueBlock;
    }

    /// @dev What a tombstoned validator is still to be slashed for.
    struct Deed {
        address operator;
        uint64 since;
    }

    /// @dev due says that an epoch has ended whose election was put off. removed is the power taken away since the epoch
    /// began with epochPower. activeTokens are the tokens of all with power. owed is bonded + unbonding + unpaidRewards.
    /// @custom:storage-location erc7201:aitbc.storage.Staking
    struct StakingState {
        StakingParams params;
        address treasury;
        Mode mode;
        bool dirty;
        uint64 window;
        bool due;
        uint64 windowAt;
        uint128 activeTokens;
        uint64 epoch;
        uint64 epochPower;
        uint64 removed;
        uint64 totalPower;
        uint128 bonded;
        uint128 unbonding;
        uint128 unpaidRewards;
        uint64 authorities;
        uint256 index;
        address[] operators;
        address[] candidates;
        address[] set;
        mapping(address operator => ValidatorState) validators;
        mapping(address consensus => address) operatorOf;
        mapping(address operator => bool) authority;
        mapping(address delegator => mapping(address operator => Stake)) stakes;
        mapping(address delegator => EnumerableSet.AddressSet) delegated;
        mapping(address delegator => Leaving[]) leaving;
        Checkpoints.Trace208 totalAt;
        Deed[] deeds;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Staking")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STAKING_SLOT = 0x8069c8bb388519efa6fe2539cb2deaa6e3c84d3a70fd5c68924d44d78974b500;

    function _state() internal pure returns (StakingState storage s) {
        bytes32 slot = STAKING_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
