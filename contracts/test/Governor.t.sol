// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {Governor} from "../src/governance/Governor.sol";
import {GovernanceFixture} from "./support/GovernanceFixture.sol";

/// @notice Who may propose, whose stake votes, and how often: 1,700, 1,100 and 1,000 coins stand behind three validators,
/// alice's 400 and bob's 300 at the first, bob's 100 at the second.
contract GovernorTest is GovernanceFixture {
    uint8 private constant AGAINST = 0;
    uint8 private constant FOR = 1;
    uint8 private constant ABSTAIN = 2;

    function test_AValidatorVotesWithAllThatIsDelegatedToIt() public {
        uint256 id = start(drain());
        vm.assertEq(vote(0, id, FOR), 1_700 ether, "weight");
        vm.assertEq(vote(1, id, AGAINST), 1_100 ether, "weight");
        vm.assertEq(vote(2, id, ABSTAIN), 1_000 ether, "weight");
        assertVotes(id, 1_100 ether, 1_700 ether, 1_000 ether);
        vm.assertEq(gov.quorum(gov.proposalSnapshot(id)), 760 ether, "a fifth of all stake");
        vm.assertTrue(gov.hasVoted(id, operator(0)), "voted");
        vm.assertTrue(!gov.hasVoted(id, alice), "a delegator is no voter");
    }

    function test_ADelegatorVotesForItselfBeforeItsValidator() public {
        uint256 id = start(drain());
        vm.assertEq(overrideVote(alice, id, 0, AGAINST), 400 ether, "alice's stake");
        vm.assertEq(vote(0, id, FOR), 1_300 ether, "what is left");
        assertVotes(id, 400 ether, 1_300 ether, 0);
        vm.assertTrue(gov.hasOverridden(id, alice, operator(0)), "overridden");
        vm.assertEq(gov.overridden(id, operator(0)), 400 ether, "of the validator's");
    }

    function test_ADelegatorVotesForItselfAfterItsValidator() public {
        uint256 id = start(drain());
        vote(0, id, FOR);
        overrideVote(alice, id, 0, ABSTAIN);
        overrideVote(bob, id, 0, FOR);
        assertVotes(id, 0, 1_300 ether, 400 ether);
    }

    function test_ADelegatorVotesOnceForEachValidator() public {
        uint256 id = start(drain());
        overrideVote(bob, id, 0, FOR);
        overrideVote(bob, id, 1, AGAINST);
        assertVotes(id, 100 ether, 300 ether, 0);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.AlreadyOverridden.selector, bob, operator(0)));
        gov.castOverrideVote(id, operator(0), AGAINST, "");
        vote(0, id, FOR);
        vm.prank(bob);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.AlreadyOverridden.selector, bob, operator(0)));
        gov.castOverrideVote(id, operator(0), AGAINST, "");
    }

    function test_NobodyVotesTwice() public {
        uint256 id = start(drain());
        vote(0, id, FOR);
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, operator(0)));
        gov.castVote(id, AGAINST);
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IGovernance.OwnStake.selector, operator(0)));
        gov.castOverrideVote(id, operator(0), FOR, "");
        // With what it delegated elsewhere, and it has none, it would be a delegator as others are.
        vm.prank(operator(0));
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NoVotes.selector, operator(0), operator(1)));
        gov.castOverrideVote(id, operator(1), FOR, "");
        assertVotes(id, 0, 1_700 ether, 0);
    }

    function test_WithoutStakeNobodyVotes() public {
        uint256 id = start(drain());
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NoVotes.selector, address(this), address(this)));
        gov.castVote(id, FOR);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NoVotes.selector, address(this), operator(0)));
        gov.castOverrideVote(id, operator(0), FOR, "");
        vm.prank(alice);
        vm.expectRevert(IGovernor.GovernorInvalidVoteType.selector);
        gov.castOverrideVote(id, operator(0), 3, "");
        vm.prank(operator(0));
        vm.expectRevert(IGovernor.GovernorInvalidVoteType.selector);
        gov.castVote(id, 3);
    }

    /// @dev What is staked when everyone knows the question does not count.
    function test_StakeAfterTheSnapshotIsNoVote() public {
        uint256 id = propose(operator(1), drain());
        vm.warp(gov.proposalSnapshot(id) + 1);
        delegate(address(0xf1a5), 2, 100_000 ether);
        vm.warp(time() + 1);
        vm.assertEq(vote(2, id, FOR), 1_000 ether, "as it was");
        vm.prank(address(0xf1a5));
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NoVotes.selector, address(0xf1a5), operator(2)));
        gov.castOverrideVote(id, operator(2), FOR, "");
    }

    /// @dev Stake that comes and goes within the snapshot's second is not there at its end.
    function test_StakeOfOneSecondIsNoVote() public {
        uint256 id = propose(operator(1), drain());
        address flash = address(0xf1a5);
        vm.warp(gov.proposalSnapshot(id));
        delegate(flash, 2, 100_000 ether);
        assertState(id, IGovernor.ProposalState.Pending);
        undelegate(flash, 2, ALL);
        vm.warp(time() + 1);
        vm.assertEq(vote(2, id, FOR), 1_000 ether, "as it was");
        vm.prank(flash);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NoVotes.selector, flash, operator(2)));
        gov.castOverrideVote(id, operator(2), FOR, "");
    }

    function test_OutsideItsTimeNobodyVotes() public {
        uint256 id = propose(operator(1), drain());
        vm.warp(gov.proposalSnapshot(id));
        vm.prank(operator(0));
        vm.expectRevert();
        gov.castVote(id, FOR);
        vm.prank(alice);
        vm.expectRevert();
        gov.castOverrideVote(id, operator(0), FOR, "");
        vm.warp(gov.proposalDeadline(id) + 1);
        vm.prank(alice);
        vm.expectRevert();
        gov.castOverrideVote(id, operator(0), FOR, "");
        assertState(id, IGovernor.ProposalState.Defeated);
    }

    function test_QuorumAndMajorityDecide() public {
        uint256 few = start(drain());
        overrideVote(alice, few, 0, FOR);
        overrideVote(bob, few, 0, ABSTAIN);
        vm.warp(gov.proposalDeadline(few) + 1);
        assertState(few, IGovernor.ProposalState.Defeated);

        Plan memory p = drain();
        p.description = "again";
        uint256 tie = start(p);
        overrideVote(alice, tie, 0, FOR);
        overrideVote(bob, tie, 0, AGAINST);
        overrideVote(bob, tie, 1, AGAINST);
        vote(2, tie, ABSTAIN);
        vm.warp(gov.proposalDeadline(tie) + 1);
        assertState(tie, IGovernor.ProposalState.Defeated);

        p.description = "once more";
        uint256 passed = start(p);
        overrideVote(bob, passed, 0, FOR);
        overrideVote(alice, passed, 0, AGAINST);
        vote(2, passed, FOR);
        vm.warp(gov.proposalDeadline(passed) + 1);
        assertState(passed, IGovernor.ProposalState.Succeeded);
    }

    function test_StakeIsNeededToPropose() public {
        vm.assertEq(gov.proposalThreshold(), 100 ether, "the setting");
        vm.assertEq(gov.proposingPower(alice, time() - 1), 400 ether, "a delegator's");
        vm.assertEq(gov.proposingPower(bob, time() - 1), 400 ether, "of two validators");
        vm.assertEq(gov.proposingPower(operator(0), time() - 1), 1_700 ether, "a validator's");
        propose(bob, drain());
        address small = address(0x5a11);
        delegate(small, 0, 99 ether);
        vm.warp(time() + 10);
        Plan memory p = drain();
        p.description = "small";
        vm.prank(small);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, small, 99 ether, 100 ether)
        );
        gov.propose(p.targets, p.values, p.calldatas, p.description);
        // Nor with stake of the same second.
        delegate(small, 0, 1_000 ether);
        vm.prank(small);
        vm.expectRevert();
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    function test_AProposalCannotBeTakenFromItsProposer() public {
        Plan memory p = drain();
        p.description = "mine #proposer=0x000000000000000000000000000e000000000001";
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorRestrictedProposer.selector, alice));
        gov.propose(p.targets, p.values, p.calldatas, p.description);
        uint256 id = propose(operator(1), p);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, id, alice));
        gov.cancel(id);
        vm.prank(operator(1));
        gov.cancel(id);
        assertState(id, IGovernor.ProposalState.Canceled);
        vm.prank(operator(1));
        vm.expectRevert();
        gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    function test_ProposalsAreListed() public {
        uint256 id = propose(bob, drain());
        vm.assertEq(gov.proposalCount(), 1, "count");
        (uint256 first, address[] memory targets,, bytes[] memory calldatas,) = gov.proposalDetailsAt(0);
        vm.assertEq(first, id, "id");
        vm.assertEq(targets[0], address(faucet), "target");
        vm.assertEq(keccak256(calldatas[0]), keccak256(drain().calldatas[0]), "data");
        vm.assertEq(gov.proposalProposer(id), bob, "proposer");
    }

    function test_NobodyInitializesAgain() public {
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        gov.initialize(address(staking), payable(address(this)), governorParams());
        Governor code = Governor(payable(Code.make("Governor.sol:Governor")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(address(staking), payable(address(this)), governorParams());
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        gov.upgradeToAndCall(address(code), "");
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        gov.setVotingPeriod(1);
        vm.assertEq(keccak256(bytes(gov.CLOCK_MODE())), keccak256(bytes(staking.CLOCK_MODE())), "one clock");
        vm.assertEq(gov.clock(), staking.clock(), "one time");
    }

    function drain() private view returns (Plan memory) {
        return plan(address(faucet), abi.encodeCall(faucet.drain, ()));
    }
}
