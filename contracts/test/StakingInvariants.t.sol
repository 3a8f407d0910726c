// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Mode} from "../src/StakingTypes.sol";
import {StakingHandler} from "./support/StakingHandler.sol";
import {Targets} from "./support/Targets.sol";

/// @notice What holds of stake whatever anybody does, in any order. One invariant, so that one history is checked for
/// all of it: sums after every call, everybody after every 32nd, and at the end that all can leave.
abstract contract StakingInvariants is Targets {
    StakingHandler private world;

    function mode() internal pure virtual returns (Mode);

    function setUp() public {
        world = StakingHandler(payable(Code.make("StakingHandler.sol:StakingHandler")));
        world.setUp(mode());
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[26] memory all = [
            // Weighted: what moves stake comes more often.
            StakingHandler.delegate.selector,
            StakingHandler.delegate.selector,
            StakingHandler.delegate.selector,
            StakingHandler.undelegate.selector,
            StakingHandler.undelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.redelegate.selector,
            StakingHandler.withdraw.selector,
            StakingHandler.claim.selector,
            StakingHandler.settle.selector,
            StakingHandler.register.selector,
            StakingHandler.unjail.selector,
            StakingHandler.setCommission.selector,
            StakingHandler.setAuthority.selector,
            StakingHandler.setParams.selector,
            StakingHandler.distribute.selector,
            StakingHandler.distribute.selector,
            StakingHandler.forceEther.selector,
            StakingHandler.sweep.selector,
            StakingHandler.nextBlock.selector,
            StakingHandler.nextBlock.selector,
            StakingHandler.nextBlock.selector,
            StakingHandler.nextEpoch.selector,
            StakingHandler.nextEpoch.selector,
            StakingHandler.wait.selector
        ];
        bytes4[] memory list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[i] = all[i];
        }
        return only(list);
    }

    function invariant_StakeIsSoundAndVotesAreStake() external view {
        world.checkSums();
        if (world.calls() % EVERY == 0) world.checkAll();
    }

    function afterInvariant() external {
        world.leave();
    }
}

/// @notice With an open set.
contract StakingPosInvariantsTest is StakingInvariants {
    function mode() internal pure override returns (Mode) {
        return Mode.POS;
    }
}

/// @notice With authorities, by stake.
contract StakingHybridInvariantsTest is StakingInvariants {
    function mode() internal pure override returns (Mode) {
        return Mode.HYBRID;
    }
}
