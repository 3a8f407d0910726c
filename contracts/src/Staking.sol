// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StakingVotes} from "./staking/StakingVotes.sol";
import {StakingSystem} from "./StakingSystem.sol";

/// @title Staking
/// @notice The predeploy of validators and their stake: IStaking, initialize and Governed are its interface.
/// @dev Layers, each on the one before: StakingStorage, StakingAccounts, StakingCandidates, StakingShares,
/// StakingRegister, StakingDelegation, StakingExits, StakingValidators, StakingVotes. All else is in StakingSystem, which this
/// contract makes when it is made, and is upgraded with it.
contract Staking is StakingVotes {
    address private immutable SYSTEM_PART = address(new StakingSystem());

    constructor() {
        _disableInitializers();
    }

    /// @notice Runs what this half does not have in the other one, on the same storage.
    fallback() external {
        address part = SYSTEM_PART;
        assembly ("memory-safe") {
            let m := mload(0x40)
            calldatacopy(m, 0, calldatasize())
            let ok := delegatecall(gas(), part, m, calldatasize(), 0, 0)
            returndatacopy(m, 0, returndatasize())
            switch ok
            case 0 { revert(m, returndatasize()) }
            default { return(m, returndatasize()) }
        }
    }
}
