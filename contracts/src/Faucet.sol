// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFaucet, FaucetParams} from "./interfaces/IFaucet.sol";
import {Governed} from "./lib/Governed.sol";
import {Push} from "./lib/Push.sol";

/// @title Faucet
/// @notice The predeploy of test networks that gives coins away. Genesis gives it coins, and anyone may give it more.
/// @dev An account and an hour have their bounds; who asks has none, as accounts cost nothing to make.
contract Faucet is Governed, IFaucet {
    uint64 private constant MAX_COOLDOWN = 30 days;

    /// @custom:storage-location erc7201:aitbc.storage.Faucet
    struct FaucetState {
        address treasury;
        uint64 hour;
        uint128 given;
        FaucetParams params;
        mapping(address to => uint64) last;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Faucet")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant FAUCET_SLOT = 0xed8b73a314d74fa5f18bae46de3df9dd7a0adb759087b0ee437d1ed07349e000;

    constructor() {
        _disableInitializers();
    }

    /// @notice Takes coins from anyone.
    receive() external payable {}

    /// @notice Sets the contract up, once.
    function initialize(address governor_, address treasury_, FaucetParams calldata params_) external initializer {
        if (treasury_ == address(0)) revert ZeroAddress();
        _initGovernor(governor_);
        _state().treasury = treasury_;
        _setParams(params_);
    }

    /// @inheritdoc IFaucet
    function drip(address to) external {
        if (to == address(0)) revert ZeroAddress();
        FaucetState storage s = _state();
        uint128 amount = s.params.amount;
        uint64 next = nextDrip(to);
        if (block.timestamp < next) revert TooSoon(next);
        if (amount > available()) revert HourlyCapReached();
        if (amount > address(this).balance) revert Empty();
        uint64 hour = _hour();
        (s.given, s.hour) = (hour == s.hour ? s.given + amount : amount, hour);
        s.last[to] = uint64(block.timestamp);
        emit Dripped(to, msg.sender, amount);
        if (!Push.tryPush(to, amount)) revert TransferFailed(to);
    }

    /// @inheritdoc IFaucet
    function drain() external onlyGovernor {
        address to = _state().treasury;
        uint256 amount = address(this).balance;
        emit Drained(amount);
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    /// @inheritdoc IFaucet
    function setParams(FaucetParams calldata params_) external onlyGovernor {
        _setParams(params_);
    }

    /// @inheritdoc IFaucet
    function params() external view returns (FaucetParams memory) {
        return _state().params;
    }

    /// @inheritdoc IFaucet
    function nextDrip(address to) public view returns (uint64) {
        FaucetState storage s = _state();
        uint64 last = s.last[to];
        return last == 0 ? 0 : last + s.params.cooldown;
    }

    /// @inheritdoc IFaucet
    function available() public view returns (uint128) {
        FaucetState storage s = _state();
        uint128 cap = s.params.hourlyCap;
        if (s.hour != _hour()) return cap;
        return s.given < cap ? cap - s.given : 0;
    }

    /// @inheritdoc IFaucet
    function owed() external pure returns (uint256) {
        return 0;
    }

    function _setParams(FaucetParams calldata p) private {
        if (p.amount == 0) revert BadParameter("amount");
        if (p.hourlyCap < p.amount) revert BadParameter("hourlyCap");
        if (p.cooldown > MAX_COOLDOWN) revert BadParameter("cooldown");
        _state().params = p;
        emit ParamsSet(p);
    }

    function _hour() private view returns (uint64) {
        return uint64(block.timestamp / 1 hours);
    }

    function _state() private pure returns (FaucetState storage s) {
        bytes32 slot = FAUCET_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
