// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IUpgrades
/// @notice Plans by which the node's program changes at a height.
/// @dev At the height of a plan a node whose program does not know the plan's name halts before it runs the block; one
/// that knows it goes on. The node reads plan() after every block.
interface IUpgrades {
    /// @notice The name is empty, longer than 64 bytes, or that of a plan that came to pass; or info is longer than 4,096
    /// bytes; or the height is not ahead.
    error BadPlan();
    /// @notice There is no plan, or its height has come.
    error NoPlan();

    /// @notice A plan was made.
    event Scheduled(string name, uint64 indexed height, string info);
    /// @notice A plan was dropped.
    event Cancelled(string name, uint64 indexed height);

    /// @notice Plans the upgrade called name at a height; info says where the program is and what its digest is.
    /// Governor only. It replaces a plan that is still ahead.
    function schedule(string calldata name, uint64 height, string calldata info) external;
    /// @notice Drops the plan. Governor only.
    function cancel() external;
    /// @notice Returns the newest plan, which may be past; height 0 is none.
    function plan() external view returns (string memory name, uint64 height, string memory info);
}
