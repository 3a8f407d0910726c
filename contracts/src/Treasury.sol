// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {Governed} from "./lib/Governed.sol";

/// @title Treasury
/// @notice The predeploy that receives fees and surplus, which the governor spends.
contract Treasury is Governed, ReentrancyGuardTransient, ITreasury {
    /// @custom:storage-location erc7201:aitbc.storage.Treasury
    struct TreasuryState {
        uint256 owed;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Treasury")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant TREASURY_SLOT = 0x5a2609a808853a48c990a901e5eb5fa97c22e0ac9309d5ec90a8c5a0688fb400;

    constructor() {
        _disableInitializers();
    }

    /// @notice Takes coins from anyone.
    receive() external payable {
        _state().owed += msg.value;
        emit Received(msg.sender, msg.value);
    }

    /// @notice Sets the contract up, once. Coins that it holds already are its own.
    function initialize(address governor_) external initializer {
        _initGovernor(governor_);
        _state().owed = address(this).balance;
    }

    /// @inheritdoc ITreasury
    function spend(address to, uint256 amount) external onlyGovernor nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        TreasuryState storage s = _state();
        if (amount > s.owed) revert BadAmount();
        s.owed -= amount;
        emit Spent(to, amount);
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    /// @inheritdoc ITreasury
    function sweep() external nonReentrant {
        TreasuryState storage s = _state();
        uint256 surplus = address(this).balance - s.owed;
        s.owed += surplus;
        emit Received(address(this), surplus);
    }

    /// @inheritdoc ITreasury
    function owed() external view returns (uint256) {
        return _state().owed;
    }

    function _state() private pure returns (TreasuryState storage s) {
        bytes32 slot = TREASURY_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
