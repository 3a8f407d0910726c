// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the Faucet gives. cooldown is in seconds.
struct FaucetParams {
    uint128 amount;
    /// @dev The most that all receivers get together in an hour of the clock.
    uint128 hourlyCap;
    uint64 cooldown;
}

/// @title IFaucet
/// @notice Gives coins away, on test networks only.
interface IFaucet {
    /// @notice The receiver had coins not long ago.
    error TooSoon(uint64 next);
    /// @notice This hour's coins are given away.
    error HourlyCapReached();
    /// @notice The faucet holds less than it gives.
    error Empty();
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);
    /// @notice A parameter is out of its bounds.
    error BadParameter(string name);

    /// @notice A receiver was given coins.
    event Dripped(address indexed to, address indexed by, uint128 amount);
    /// @notice All coins went to the Treasury.
    event Drained(uint256 amount);
    /// @notice The parameters changed.
    event ParamsSet(FaucetParams params);

    /// @notice Gives coins to an account. Anyone may ask for anyone: a new account has nothing to pay gas with.
    function drip(address to) external;
    /// @notice Sends all coins to the Treasury. Governor only.
    function drain() external;
    /// @notice Sets the parameters. Governor only.
    function setParams(FaucetParams calldata params) external;
    /// @notice Returns the parameters.
    function params() external view returns (FaucetParams memory);
    /// @notice Returns from when on an account may be given coins (again).
    function nextDrip(address to) external view returns (uint64);
    /// @notice Returns what can still be given away in this hour.
    function available() external view returns (uint128);
    /// @notice Returns what the faucet owes: nothing, to anybody.
    function owed() external view returns (uint256);
}
