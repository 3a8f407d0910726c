// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    TimelockControllerUpgradeable
} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @title Timelock
/// @notice The predeploy that governs all others: what the Governor decided waits here, and is executed by anyone.
/// @dev Nobody administers its roles, not even itself: proposer and canceller stay what genesis made them, the
/// Governor. Only an upgrade, which waits as everything does, changes that.
contract Timelock is TimelockControllerUpgradeable, UUPSUpgradeable {
    uint256 private constant MAX_DELAY = 30 days;

    /// @notice Somebody would administer the roles.
    error NoAdmin();

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once: the Governor as only proposer, nobody (zero: anyone) as executor, no admin.
    function initialize(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        public
        override
    {
        if (admin != address(0)) revert NoAdmin();
        super.initialize(minDelay, proposers, executors, admin);
        _revokeRole(DEFAULT_ADMIN_ROLE, address(this));
    }

    /// @notice Returns how long an operation waits at least; never more than 30 days, whatever was set.
    function getMinDelay() public view override returns (uint256) {
        uint256 delay = super.getMinDelay();
        return delay < MAX_DELAY ? delay : MAX_DELAY;
    }

    function _authorizeUpgrade(address) internal view override {
        if (msg.sender != address(this)) revert TimelockUnauthorizedCaller(msg.sender);
    }
}
