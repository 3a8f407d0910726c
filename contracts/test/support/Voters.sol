// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {GovernanceFixture} from "./GovernanceFixture.sol";

/// @notice Validators and delegators who propose, stake, move, leave and vote in any order.
/// @dev The votes of every proposal are compared with what was staked at its snapshot.
contract Voters is GovernanceFixture {
    uint256 private constant VALIDATORS = 3;

    address[] private people;
    uint256[] private proposals;
    /// @notice How many calls were made and not reverted.
    uint256 public calls;

    modifier counted() {
        _;
        ++calls;
    }

    function setUp() public override {
        super.setUp();
        people.push(alice);
        people.push(bob);
        people.push(address(0xca401));
        for (uint256 i; i < VALIDATORS; ++i) {
            people.push(operator(i));
        }
        // Small amounts too: where rounding shows.
        delegate(people[2], 2, 1);
        delegate(people[2], 1, 3 ether + 1);
        delegate(operator(0), 1, 7 ether);
        vm.warp(time() + 10);
        proposeAnother();
    }

    /// @dev When the last one is open to votes already.
    function proposeNext() external counted {
        vm.assertTrue(gov.proposalSnapshot(last()) < time(), "one at a time");
        proposeAnother();
    }

    function castVote(uint256 i, uint8 support, bool wait_) external counted {
        uint256 id = open(wait_);
        vm.prank(operator(i % VALIDATORS));
        gov.castVote(id, support % 3);
    }

    function castOverride(uint256 who, uint256 i, uint8 support, bool wait_) external counted {
        uint256 id = open(wait_);
        vm.prank(people[who % people.length]);
        gov.castOverrideVote(id, operator(i % VALIDATORS), support % 3, "");
    }

    function stake(uint256 who, uint256 i, uint256 amount) external counted {
        delegate(people[who % people.length], i % VALIDATORS, uint128(amount % 10_000 ether + 1));
    }

    function unstake(uint256 who, uint256 i, uint256 amount) external counted {
        undelegate(people[who % people.length], i % VALIDATORS, uint128(amount % 500 ether + 1));
    }

    function move(uint256 who, uint256 i, uint256 j, uint256 amount) external counted {
        i %= VALIDATORS;
        j = (i + 1 + j % 2) % VALIDATORS;
        redelegate(people[who % people.length], i, j, uint128(amount % 500 ether + 1));
    }

    function punish(uint256 i) external counted {
        // The first one is caught at most: the others are enough for a set.
        if (i % 16 == 0) doubleSign(0);
        else endBlock();
    }

    function wait(uint256 seconds_) external counted {
        pass(seconds_ % 1 hours, 3);
    }

    /// @notice Says whether votes are stake counted once, on the last proposal.
    function check() external view {
        checkVotes(last());
    }

    /// @notice The end of a history: every proposal ends, decided by stake, and what was decided can be done; then all
    /// stake can leave.
    function leave() external {
        for (uint256 n; n < proposals.length; ++n) {
            checkVotes(proposals[n]);
        }
        pass(DELAY + PERIOD + 1, 100_000);
        for (uint256 n; n < proposals.length; ++n) {
            uint256 id = proposals[n];
            checkVotes(id);
            (uint256 against, uint256 for_, uint256 abstain) = gov.proposalVotes(id);
            bool passed = for_ > against && for_ + abstain >= gov.quorum(gov.proposalSnapshot(id));
            if (!passed) {
                assertState(id, IGovernor.ProposalState.Defeated);
                continue;
            }
            assertState(id, IGovernor.ProposalState.Succeeded);
            gov.queue(id);
            vm.warp(gov.proposalEta(id));
            gov.execute(id);
            assertState(id, IGovernor.ProposalState.Executed);
        }
        for (uint256 i; i < people.length; ++i) {
            for (uint256 j; j < VALIDATORS; ++j) {
                (, uint256 shares,) = staking.delegation(people[i], operator(j));
                if (shares != 0) undelegate(people[i], j, ALL);
            }
        }
        pass(WAIT + 61 days, 100_000);
        for (uint256 i; i < people.length; ++i) {
            if (staking.unbondings(people[i]).length != 0) withdraw(people[i]);
        }
        vm.assertEq(staking.owed(), 0, "all stake left");
        vm.assertEq(staking.getPastTotalSupply(time() - 1), 0, "and no votes are left");
    }

    function checkVotes(uint256 id) private view {
        (uint256 against, uint256 for_, uint256 abstain) = gov.proposalVotes(id);
        uint256 snapshot = gov.proposalSnapshot(id);
        if (snapshot >= time()) {
            vm.assertEq(against + for_ + abstain, 0, "nobody votes before the snapshot");
            return;
        }
        uint256 all;
        uint256 most;
        for (uint256 i; i < VALIDATORS; ++i) {
            uint256 weight = staking.getPastVotes(operator(i), snapshot);
            uint256 overridden = gov.overridden(id, operator(i));
            vm.assertLe(overridden, weight, "of one validator");
            all += weight;
            most += gov.hasVoted(id, operator(i)) ? weight : overridden;
        }
        vm.assertEq(all, staking.getPastTotalSupply(snapshot), "stake");
        vm.assertLe(against + for_ + abstain, all, "votes are at most the stake");
        vm.assertEq(against + for_ + abstain, most, "every vote once");
    }

    /// @dev Returns the last proposal, when votes on it are open, if that is waited for.
    function open(bool wait_) private returns (uint256 id) {
        id = last();
        uint256 snapshot = gov.proposalSnapshot(id);
        if (wait_ && snapshot >= time()) vm.warp(snapshot + 1);
    }

    function last() private view returns (uint256) {
        return proposals[proposals.length - 1];
    }

    function proposeAnother() private {
        Plan memory p = plan(address(faucet), abi.encodeCall(faucet.drain, ()));
        p.description = string(abi.encodePacked("a change, ", vm.toString(proposals.length)));
        proposals.push(propose(operator(1), p));
    }
}
