// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Who may validate, and with which power.
/// @dev POA: every authority with the same power. POS: everyone, by stake. HYBRID: authorities, by stake.
enum Mode {
    POA,
    POS,
    HYBRID
}

/// @notice What governance may set. Times are seconds, shares are basis points (1/10,000).
struct StakingParams {
    /// @dev How many validate at once, at most 100.
    uint16 maxValidators;
    /// @dev The set changes at the end of a block whose height is a multiple of this, or when somebody is jailed.
    uint32 epochBlocks;
    /// @dev The greatest share of all power that one validator has, however much is delegated to it, if there are
    /// enough validators for it; 10,000 is no cap.
    uint16 maxPowerBps;
    uint128 minSelfStake;
    /// @dev Stake is paid out after both: they outlast the age at which evidence is still accepted.
    uint64 unbondDelay;
    uint64 unbondBlocks;
    uint16 doubleSignBps;
    uint16 downtimeBps;
    uint64 downtimeJail;
    /// @dev Blocks in a window, and how many of them a validator may miss.
    uint32 window;
    uint32 maxMissed;
}

/// @notice A validator as anyone sees it.
struct Validator {
    address operator;
    /// @dev Ethereum address of the consensus key, which is also CometBFT's.
    address consensus;
    /// @dev The public key, uncompressed.
    bytes32 x;
    bytes32 y;
    /// @dev Bonded coins, the operator's own among them, and the shares they are divided into.
    uint128 tokens;
    uint256 shares;
    uint128 selfStake;
    uint16 commissionBps;
    uint16 maxDailyChangeBps;
    uint64 commissionSetAt;
    uint64 jailedUntil;
    bool jailed;
    bool tombstoned;
    bool authority;
    /// @dev In the set as told to the node last, with that power.
    uint64 power;
    uint32 missed;
    string moniker;
}

/// @notice One step of leaving.
struct Unbonding {
    address operator;
    /// @dev What it is worth now: slashing of the validator since it began has taken its part.
    uint128 amount;
    uint64 dueAt;
    uint64 dueBlock;
}

/// @notice A validator for the node: its public key and power. The node computes the difference to the set it has.
struct Power {
    bytes32 x;
    bytes32 y;
    uint64 power;
}

/// @notice Proof, checked by the node, that a key voted twice at a height, or attacked light clients there.
struct Evidence {
    address consensus;
    uint64 height;
    /// @dev Seconds since 1970 of the block at that height.
    uint64 time;
}

/// @notice A validator of the first block.
struct GenesisValidator {
    address operator;
    bytes32 x;
    bytes32 y;
    uint128 stake;
    uint16 commissionBps;
    uint16 maxDailyChangeBps;
    string moniker;
}

/// @notice What governance may set about issuance and fees.
struct RewardsParams {
    /// @dev Base units issued to stakers in a second.
    uint128 stakersPerSecond;
    /// @dev The most base units issued to miners in a second; what work earns may be less.
    uint128 minersPerSecond;
    /// @dev Seconds in an epoch of miners' rewards.
    uint64 epoch;
    /// @dev f: the most that a miner is rewarded, as a share of the protocol fees its jobs paid.
    uint16 minerFeeBps;
    /// @dev g: the share of protocol fees that stakers get; the Treasury gets the rest. f + g < 10,000.
    uint16 stakerFeeBps;
}
