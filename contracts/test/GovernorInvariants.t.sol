// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Targets} from "./support/Targets.sol";
import {Voters} from "./support/Voters.sol";

/// @notice What holds of votes whatever anybody does, in any order: asked after every call, and at the end that every
/// proposal ends and all stake can leave.
contract GovernorInvariantsTest is Targets {
    Voters private voters;

    function setUp() public {
        voters = Voters(payable(Code.make("Voters.sol:Voters")));
        voters.setUp();
    }

    function handler() internal view override returns (address) {
        return address(voters);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[12] memory all = [
            // Weighted: votes come more often.
            Voters.castVote.selector,
            Voters.castVote.selector,
            Voters.castOverride.selector,
            Voters.castOverride.selector,
            Voters.castOverride.selector,
            Voters.proposeNext.selector,
            Voters.stake.selector,
            Voters.unstake.selector,
            Voters.move.selector,
            Voters.move.selector,
            Voters.punish.selector,
            Voters.wait.selector
        ];
        bytes4[] memory list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[i] = all[i];
        }
        return only(list);
    }

    function invariant_VotesAreStakeCountedOnce() external view {
        voters.check();
    }

    function afterInvariant() external {
        voters.leave();
    }
}
