// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Bounded} from "./lib/Bounded.sol";
import {Governed} from "./lib/Governed.sol";
import {RewardsParams} from "./StakingTypes.sol";

/// @title Rewards
/// @notice The predeploy through which new coins come into the world, and by which fees are divided.
/// @dev An epoch's fees earn at most the share f of themselves, and the share g of them goes to stakers. Either may
/// change in between, so each has a bound of its own: any f with any g, whenever set, is below the whole.
contract Rewards is Governed, ReentrancyGuardTransient, IRewards {
    /// @notice The sender of the node's calls.
    address private constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    uint256 private constant WHOLE = 10_000;
    uint16 private constant MAX_MINER_BPS = 5_000;
    uint16 private constant MAX_STAKER_BPS = 4_999;
    uint64 private constant MIN_EPOCH = 60;
    uint64 private constant MAX_EPOCH = 30 days;
    /// @dev 3.2·10^9 seconds, a century, of both rates make less than 2^100.
    uint256 private constant MAX_RATE = 1 << 68;
    /// @dev The most seconds that one block issues for: after an outage no lump is made, the time is lost to issuance.
    uint64 private constant MAX_STEP = 60;
    /// @dev Far more than either takes.
    uint256 private constant DISTRIBUTE_GAS = 1_000_000;
    uint256 private constant TREASURY_GAS = 200_000;

    /// @dev An epoch that is over. While one of its miners has not claimed, the whole rest of the pool is owed.
    struct Epoch {
        uint128 pool;
        uint128 fees;
        uint128 claimed;
        uint128 claimedFees;
        uint64 endedAt;
    }

    struct Work {
        uint128 fees;
        bool claimed;
    }

    /// @custom:storage-location erc7201:aitbc.storage.Rewards
    struct RewardsState {
        address market;
        uint64 epoch;
        address staking;
        uint64 startedAt;
        address treasury;
        uint64 lastAt;
        uint128 fees;
        uint64 charged;
        bool pending;
        uint256 issued;
        uint256 owed;
        RewardsParams params;
        RewardsParams next;
        mapping(uint64 epoch => Epoch) epochs;
        mapping(uint64 epoch => mapping(address miner => Work)) work;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Rewards")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant REWARDS_SLOT = 0x396d0c3edd76627dcf72bc50e4d1dc3c6216011ef20b442829da63f9e1f7cd00;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once. The first epoch begins.
    function initialize(
        address governor_,
        address market_,
        address staking_,
        address treasury_,
        RewardsParams calldata params_
    ) external initializer {
        if (market_ == address(0) || staking_ == address(0) || treasury_ == address(0)) {
            revert ZeroAddress();
        }
        _initGovernor(governor_);
        _check(params_);
        RewardsState storage s = _state();
        (s.market, s.staking, s.treasury, s.params) = (market_, staking_, treasury_, params_);
        (s.epoch, s.startedAt, s.lastAt) = (1, uint64(block.timestamp), uint64(block.timestamp));
        emit ParamsSet(params_);
    }

    /// @inheritdoc IRewards
    function worked(address[] calldata miners, uint128[] calldata fees) external {
        RewardsState storage s = _state();
        if (msg.sender != s.market) revert Unauthorized(msg.sender);
        if (miners.length != fees.length) revert BadLength();
        uint64 current = s.epoch;
        uint128 sum = s.fees;
        mapping(address => Work) storage work_ = s.work[current];
        for (uint256 i; i < miners.length; ++i) {
            if (fees[i] == 0) continue;
            sum += fees[i];
            work_[miners[i]].fees += fees[i];
            emit Worked(current, miners[i], fees[i]);
        }
        s.fees = sum;
    }

    /// @inheritdoc IRewards
    function divide() external payable nonReentrant {
        RewardsState storage s = _state();
        uint128 toStakers = uint128(msg.value * s.params.stakerFeeBps / WHOLE);
        if (!_distribute(s.staking, toStakers)) toStakers = 0;
        uint128 rest = uint128(msg.value - toStakers);
        emit FeesDivided(toStakers, rest);
        _send(s.treasury, rest);
    }

    /// @inheritdoc IRewards
    function issuance() external view returns (uint128) {
        (uint128 toStakers, uint128 pool,,) = _due(_state());
        return toStakers + pool;
    }

    /// @inheritdoc IRewards
    /// @dev Only the books decide about success: what Staking or the Treasury refuse stays here as surplus, for sweep.
    /// Given less than it asked for, it makes do with that; what is given beyond is surplus too.
    function endBlock() external payable nonReentrant {
        if (msg.sender != SYSTEM) revert Unauthorized(msg.sender);
        RewardsState storage s = _state();
        (uint128 toStakers, uint128 pool, uint64 charged, bool over) = _due(s);
        if (toStakers > msg.value) toStakers = uint128(msg.value);
        if (pool > msg.value - toStakers) pool = uint128(msg.value - toStakers);
        s.lastAt = uint64(block.timestamp);
        s.charged = charged;
        s.issued += msg.value;
        if (over) _endEpoch(s, pool);
        if (!_distribute(s.staking, toStakers)) Bounded.tryCall(s.treasury, toStakers, TREASURY_GAS, "");
    }

    /// @inheritdoc IRewards
    function claim(address miner, uint64[] calldata epochs) external nonReentrant returns (uint128 amount) {
        RewardsState storage s = _state();
        bool found;
        uint256 released;
        for (uint256 i; i < epochs.length; ++i) {
            Work storage w = s.work[epochs[i]][miner];
            uint128 fees = w.fees;
            if (epochs[i] >= s.epoch || fees == 0 || w.claimed) continue;
            (w.claimed, found) = (true, true);
            Epoch storage e = s.epochs[epochs[i]];
            uint128 part = _part(e, fees);
            (e.claimed, e.claimedFees) = (e.claimed + part, e.claimedFees + fees);
            // The last one leaves what rounding left over: nobody's.
            released += e.claimedFees == e.fees ? part + (e.pool - e.claimed) : part;
            amount += part;
            emit Claimed(epochs[i], miner, part);
        }
        if (!found) revert NothingToClaim();
        s.owed -= released;
        _send(miner, amount);
    }

    /// @inheritdoc IRewards
    function sweep() external nonReentrant {
        RewardsState storage s = _state();
        uint256 surplus = address(this).balance - s.owed;
        if (surplus == 0) return;
        emit Swept(surplus);
        _send(s.treasury, surplus);
    }

    /// @inheritdoc IRewards
    function setParams(RewardsParams calldata params_) external onlyGovernor {
        _check(params_);
        RewardsState storage s = _state();
        (s.next, s.pending) = (params_, true);
        emit ParamsSet(params_);
    }

    /// @inheritdoc IRewards
    function params() external view returns (RewardsParams memory) {
        return _state().params;
    }

    /// @inheritdoc IRewards
    function nextParams() external view returns (RewardsParams memory) {
        RewardsState storage s = _state();
        return s.pending ? s.next : s.params;
    }

    /// @inheritdoc IRewards
    function epoch() external view returns (uint64) {
        return _state().epoch;
    }

    /// @inheritdoc IRewards
    function epochInfo(uint64 epoch_) external view returns (uint128 pool, uint128 fees, uint64 endsAt) {
        RewardsState storage s = _state();
        if (epoch_ == s.epoch) return (0, s.fees, s.startedAt + s.params.epoch);
        Epoch storage e = s.epochs[epoch_];
        return (e.pool, e.fees, e.endedAt);
    }

    /// @inheritdoc IRewards
    function work(address miner, uint64 epoch_) external view returns (uint128 fees, uint128 claimable) {
        RewardsState storage s = _state();
        Work storage w = s.work[epoch_][miner];
        fees = w.fees;
        if (epoch_ < s.epoch && fees != 0 && !w.claimed) claimable = _part(s.epochs[epoch_], fees);
    }

    /// @inheritdoc IRewards
    function issued() external view returns (uint256) {
        return _state().issued;
    }

    /// @inheritdoc IRewards
    function owed() external view returns (uint256) {
        return _state().owed;
    }

    /// @inheritdoc IRewards
    function market() external view returns (address) {
        return _state().market;
    }

    /// @inheritdoc IRewards
    function staking() external view returns (address) {
        return _state().staking;
    }

    /// @inheritdoc IRewards
    function treasury() external view returns (address) {
        return _state().treasury;
    }

    /// @dev What a block that ends now issues, the seconds charged to the epoch with it, and whether the epoch is over.
    function _due(RewardsState storage s)
        private
        view
        returns (uint128 toStakers, uint128 pool, uint64 charged, bool over)
    {
        RewardsParams storage p = s.params;
        uint64 step = block.timestamp > s.lastAt ? uint64(block.timestamp) - s.lastAt : 0;
        if (step > MAX_STEP) step = MAX_STEP;
        toStakers = p.stakersPerSecond * step;
        charged = s.charged + step;
        over = block.timestamp >= s.startedAt + p.epoch;
        if (over) {
            uint256 most = uint256(p.minersPerSecond) * charged;
            uint256 earned = uint256(s.fees) * p.minerFeeBps / WHOLE;
            pool = uint128(earned < most ? earned : most);
        }
    }

    function _endEpoch(RewardsState storage s, uint128 pool) private {
        uint64 current = s.epoch;
        uint128 fees = s.fees;
        s.epochs[current] = Epoch(pool, fees, 0, 0, uint64(block.timestamp));
        s.owed += pool;
        (s.epoch, s.startedAt, s.fees, s.charged) = (current + 1, uint64(block.timestamp), 0, 0);
        if (s.pending) {
            (s.params, s.pending) = (s.next, false);
            delete s.next;
        }
        emit EpochEnded(current, pool, fees);
    }

    /// @dev A miner's part of an epoch's pool, rounded down.
    function _part(Epoch storage e, uint128 fees) private view returns (uint128) {
        return uint128(uint256(e.pool) * fees / e.fees);
    }

    /// @dev Hands coins to Staking; false when it did not take them.
    function _distribute(address staking_, uint128 amount) private returns (bool) {
        if (amount == 0) return true;
        return Bounded.tryCall(staking_, amount, DISTRIBUTE_GAS, abi.encodeCall(IStaking(staking_).distribute, ()));
    }

    function _send(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    function _check(RewardsParams calldata p) private pure {
        if (uint256(p.stakersPerSecond) + p.minersPerSecond > MAX_RATE) revert BadParameter("perSecond");
        if (p.epoch < MIN_EPOCH || p.epoch > MAX_EPOCH) revert BadParameter("epoch");
        if (p.minerFeeBps > MAX_MINER_BPS) revert BadParameter("minerFeeBps");
        if (p.stakerFeeBps > MAX_STAKER_BPS) revert BadParameter("stakerFeeBps");
    }

    function _state() private pure returns (RewardsState storage s) {
        bytes32 slot = REWARDS_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
