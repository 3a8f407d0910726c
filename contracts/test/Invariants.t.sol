// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Handler} from "./support/Handler.sol";
import {Targets} from "./support/Targets.sol";

/// @notice What holds of Market, Registry, Rewards, Treasury and Faucet whatever anybody does, in any order. One
/// invariant, so that one history is checked for all of it: sums after every call, everybody after every 32nd, and at
/// the end that all can leave.
contract InvariantsTest is Targets {
    Handler private world;

    function setUp() public {
        world = Handler(payable(Code.make("Handler.sol:Handler")));
        world.setUp();
    }

    function handler() internal view override returns (address) {
        return address(world);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory) {
        bytes4[31] memory all = [
            // Weighted: what moves money comes more often.
            Handler.openSession.selector,
            Handler.openSession.selector,
            Handler.openSession.selector,
            Handler.topUp.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settleOrder.selector,
            Handler.settleOrder.selector,
            Handler.claim.selector,
            Handler.requestClose.selector,
            Handler.closeByAgreement.selector,
            Handler.refund.selector,
            Handler.setLimit.selector,
            Handler.applyLimit.selector,
            Handler.withdrawSettlement.selector,
            Handler.withdraw.selector,
            Handler.stake.selector,
            Handler.unbond.selector,
            Handler.withdrawUnbonded.selector,
            Handler.comeBack.selector,
            Handler.unjail.selector,
            Handler.replaceKey.selector,
            Handler.forceEther.selector,
            Handler.collect.selector,
            Handler.claimWork.selector,
            Handler.drip.selector,
            Handler.spend.selector,
            Handler.govern.selector,
            Handler.nextBlock.selector,
            Handler.wait.selector
        ];
        bytes4[] memory list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            list[i] = all[i];
        }
        return only(list);
    }

    /// @dev (What an invariant does is undone after it.)
    function invariant_AccountsAreWhatIsOwedAndItIsThere() external {
        world.checkSums();
        if (world.calls() % EVERY != 0) return;
        world.checkAll();
        world.checkDue();
    }

    function afterInvariant() external {
        world.leave();
    }
}
