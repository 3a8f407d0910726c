// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ITreasury
/// @notice Holds the protocol's fees; the governor spends them.
interface ITreasury {
    /// @notice The treasury holds less than the amount.
    error BadAmount();
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);

    /// @notice Coins came in.
    event Received(address indexed from, uint256 amount);
    /// @notice The governor spent coins.
    event Spent(address indexed to, uint256 amount);

    /// @notice Pays amount to an address. Governor only.
    function spend(address to, uint256 amount) external;
    /// @notice Takes coins into account that came without a call.
    function sweep() external;
    /// @notice Returns the coins that the treasury accounts for, all of them the governor's to spend.
    function owed() external view returns (uint256);
}
