// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../../src/interfaces/IStaking.sol";

/// @notice A delegator that is a contract, and does to its pay what it was told to.
contract ContractDelegator {
    IStaking private immutable staking;
    bool private refuses;
    bool private reenters;
    bool public reentered;

    constructor(IStaking staking_) payable {
        staking = staking_;
    }

    function behave(bool refuses_, bool reenters_) external {
        (refuses, reenters) = (refuses_, reenters_);
    }

    receive() external payable {
        if (refuses) revert("no");
        if (!reenters) return;
        try staking.withdraw() {
            reentered = true;
        } catch {}
        try staking.settleRedelegations(address(this), address(1)) {
            reentered = true;
        } catch {}
    }
}
