// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IUpgrades} from "./interfaces/IUpgrades.sol";
import {Governed} from "./lib/Governed.sol";

/// @title Upgrades
/// @notice The predeploy that holds the plan by which the node's program changes.
/// @dev A plan comes to pass when a block of its height exists; its name is used up from then on. The name of a plan
/// that was dropped or replaced before is free again.
contract Upgrades is Governed, IUpgrades {
    uint256 private constant MAX_NAME = 64;
    uint256 private constant MAX_INFO = 4_096;

    /// @custom:storage-location erc7201:aitbc.storage.Upgrades
    struct UpgradesState {
        uint64 height;
        string name;
        string info;
        mapping(bytes32 nameHash => bool) used;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Upgrades")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant UPGRADES_SLOT = 0xfcaa7ae30f591b153629fb3fce760b704300f3a6b286a1820e4934457a995600;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once.
    function initialize(address governor_) external initializer {
        _initGovernor(governor_);
    }

    /// @inheritdoc IUpgrades
    function schedule(string calldata name, uint64 height, string calldata info) external onlyGovernor {
        UpgradesState storage s = _state();
        if (s.height != 0 && !_ahead(s.height)) s.used[keccak256(bytes(s.name))] = true;
        uint256 length = bytes(name).length;
        if (
            length == 0 || length > MAX_NAME || bytes(info).length > MAX_INFO || !_ahead(height)
                || s.used[keccak256(bytes(name))]
        ) revert BadPlan();
        if (_ahead(s.height)) emit Cancelled(s.name, s.height);
        (s.height, s.name, s.info) = (height, name, info);
        emit Scheduled(name, height, info);
    }

    /// @inheritdoc IUpgrades
    function cancel() external onlyGovernor {
        UpgradesState storage s = _state();
        if (!_ahead(s.height)) revert NoPlan();
        emit Cancelled(s.name, s.height);
        (s.height, s.name, s.info) = (0, "", "");
    }

    /// @inheritdoc IUpgrades
    function plan() external view returns (string memory name, uint64 height, string memory info) {
        UpgradesState storage s = _state();
        return (s.name, s.height, s.info);
    }

    function _ahead(uint64 height) private view returns (bool) {
        return height > block.number;
    }

    function _state() private pure returns (UpgradesState storage s) {
        bytes32 slot = UPGRADES_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
