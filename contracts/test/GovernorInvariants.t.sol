// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GovernanceFixture} from "./support/GovernanceFixture.sol";
import {Targets} from "./support/Targets.sol";

/// @notice Validators and delegators who stake, move, leave and vote in any order on one proposal.
/// @dev Every call comes from one of its people; the votes of its proposal are compared with what was at the snapshot.
contract Voters is GovernanceFixture {
    uint256 public proposal;
    address[] private people;
    uint256 public votes;

    function setUp() public override {
        super.setUp();
        people.push(alice);
        people.push(bob);
        people.push(address(0xca401));
        for (uint256 i; i < 3; ++i) {
            people.push(operator(i));
        }
        // Small amounts too: where rounding shows.
        delegate(people[2], 2, 1);
        delegate(people[2], 1, 3 ether + 1);
        delegate(operator(0), 1, 7 ether);
        vm.warp(time() + 10);
        proposal = propose(operator(1), plan(address(faucet), abi.encodeCall(faucet.drain, ())));
    }

    function castVote(uint256 i, uint8 support) external {
        vm.prank(operator(i % 3));
        gov.castVote(proposal, support % 3);
        ++votes;
    }

    function castOverride(uint256 who, uint256 i, uint8 support) external {
        vm.prank(people[who % people.length]);
        gov.castOverrideVote(proposal, operator(i % 3), support % 3, "");
        ++votes;
    }

    function stake(uint256 who, uint256 i, uint256 amount) external {
        delegate(people[who % people.length], i % 3, uint128(amount % 10_000 ether + 1));
    }

    function unstake(uint256 who, uint256 i, uint256 amount) external {
        undelegate(people[who % people.length], i % 3, uint128(amount % 500 ether + 1));
    }

    function move(uint256 who, uint256 i, uint256 j, uint256 amount) external {
        redelegate(people[who % people.length], i % 3, j % 3, uint128(amount % 500 ether + 1));
    }

    function wait(uint256 seconds_) external {
        vm.warp(time() + seconds_ % 1 hours);
    }

    /// @dev Says whether the books are right, and is asked after every call.
    function check() external view {
        (uint256 against, uint256 for_, uint256 abstain) = gov.proposalVotes(proposal);
        uint256 snapshot = gov.proposalSnapshot(proposal);
        if (snapshot >= time()) {
            vm.assertEq(against + for_ + abstain, 0, "nobody votes before the snapshot");
            return;
        }
        vm.assertLe(against + for_ + abstain, staking.getPastTotalSupply(snapshot), "all stake");
        uint256 most;
        for (uint256 i; i < 3; ++i) {
            uint256 weight = staking.getPastVotes(operator(i), snapshot);
            uint256 overridden = gov.overridden(proposal, operator(i));
            vm.assertLe(overridden, weight, "of one validator");
            most += gov.hasVoted(proposal, operator(i)) ? weight : overridden;
        }
        vm.assertEq(against + for_ + abstain, most, "every vote once");
    }
}

/// @notice What holds of votes whatever anybody does, in any order.
contract GovernorInvariantsTest is Targets {
    Voters private voters;

    function setUp() public {
        voters = new Voters();
        voters.setUp();
    }

    function handler() internal view override returns (address) {
        return address(voters);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[6] memory all = [
            Voters.castVote.selector,
            Voters.castOverride.selector,
            Voters.stake.selector,
            Voters.unstake.selector,
            Voters.move.selector,
            Voters.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(voters);
        list[0].selectors = new bytes4[](all.length + 2);
        for (uint256 i; i < all.length; ++i) {
            list[0].selectors[i] = all[i];
        }
        // Weighted: votes come more often.
        (list[0].selectors[6], list[0].selectors[7]) = (Voters.castOverride.selector, Voters.castVote.selector);
    }

    function invariant_VotesAreStakeCountedOnce() external view {
        voters.check();
    }
}
