// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RewardsParams} from "../StakingTypes.sol";

/// @title IRewards
/// @notice New coins for stakers and miners, and the stakers' share of the fees.
/// @dev Miners share what an epoch issues by the protocol fees which their settled, receipted jobs paid, and never get
/// more than the share f of those fees. Stakers get the share g. Since f + g < 1, whoever trades with itself, and owns
/// all stake besides, gets back less than the fees that it paid: washing loses.
interface IRewards {
    /// @notice A parameter is out of its bounds.
    error BadParameter(string name);
    /// @notice None of the epochs is over and has anything left for the miner.
    error NothingToClaim();
    /// @notice The lists are not of the same length.
    error BadLength();
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);

    /// @notice The Market reported work: protocol fees of a miner's jobs in the running epoch.
    event Worked(uint64 indexed epoch, address indexed miner, uint128 fees);
    /// @notice An epoch ended: its pool for miners, and all fees that were paid in it.
    event EpochEnded(uint64 indexed epoch, uint128 issued, uint128 fees);
    /// @notice A miner was paid for an epoch.
    event Claimed(uint64 indexed epoch, address indexed miner, uint128 amount);
    /// @notice Fees were divided.
    event FeesDivided(uint128 toStakers, uint128 toTreasury);
    /// @notice Parameters were set; the epoch after the running one begins with them.
    event ParamsSet(RewardsParams params);
    /// @notice Coins that nobody is owed went to the Treasury.
    event Swept(uint256 amount);

    /// @notice Records fees paid by miners' jobs, a settlement's all at once. Market only.
    function worked(address[] calldata miners, uint128[] calldata fees) external;
    /// @notice Divides the fees sent between stakers and Treasury, which gets what stakers cannot be given. Anyone may
    /// call it.
    function divide() external payable;
    /// @notice Returns how many coins the next endBlock wants issued: what is due to stakers since the last one and,
    /// at the end of an epoch, what its miners earned.
    function issuance() external view returns (uint128);
    /// @notice Ends a block with the coins that issuance asked for, newly made. System address only.
    function endBlock() external payable;
    /// @notice Pays a miner for epochs that are over. Anyone may call it; the coins go to the miner. Epochs with nothing
    /// to claim are passed over.
    function claim(address miner, uint64[] calldata epochs) external returns (uint128 amount);
    /// @notice Moves coins that nobody is owed to the Treasury.
    function sweep() external;
    /// @notice Sets the parameters. Governor only. They apply from the next epoch on. f is at most 5,000 and g at most
    /// 4,999, so that any f and any g, of whatever times, are below 10,000 together.
    function setParams(RewardsParams calldata params) external;

    /// @notice Returns the parameters of the running epoch.
    function params() external view returns (RewardsParams memory);
    /// @notice Returns the parameters of the epoch after it.
    function nextParams() external view returns (RewardsParams memory);
    /// @notice Returns the running epoch.
    function epoch() external view returns (uint64);
    /// @notice Returns an epoch's pool for miners (0 while it runs), and the fees that were paid in it.
    function epochInfo(uint64 epoch_) external view returns (uint128 pool, uint128 fees, uint64 endsAt);
    /// @notice Returns the fees of a miner's jobs in an epoch, and what it can still claim for it.
    function work(address miner, uint64 epoch_) external view returns (uint128 fees, uint128 claimable);
    /// @notice Returns all coins that were ever issued through this contract.
    function issued() external view returns (uint256);
    /// @notice Returns what the contract owes to miners.
    function owed() external view returns (uint256);
    /// @notice Returns the Market.
    function market() external view returns (address);
    /// @notice Returns Staking.
    function staking() external view returns (address);
    /// @notice Returns the Treasury.
    function treasury() external view returns (address);
}
