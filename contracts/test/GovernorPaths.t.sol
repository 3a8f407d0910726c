// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {Governor} from "../src/governance/Governor.sol";
import {Timelock} from "../src/governance/Timelock.sol";
import {FaucetParams} from "../src/interfaces/IFaucet.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {Market} from "../src/Market.sol";
import {RewardsParams, StakingParams} from "../src/StakingTypes.sol";
import {MarketParams, RegistryParams} from "../src/Types.sol";
import {GovernanceFixture} from "./support/GovernanceFixture.sol";

/// @notice Later code, which says so.
contract LaterMarket is Market {
    function generation() external pure returns (uint256) {
        return 2;
    }
}

/// @notice Later code, which says so.
contract LaterGovernor is Governor {
    function generation() external pure returns (uint256) {
        return 2;
    }
}

/// @notice Later code, which says so.
contract LaterTimelock is Timelock {
    function generation() external pure returns (uint256) {
        return 2;
    }
}

/// @notice Every kind of decision, from the proposal to what it does.
contract GovernorPathsTest is GovernanceFixture {
    function test_EveryPredeploysParameters() public {
        Plan memory p;
        p.targets = new address[](5);
        p.values = new uint256[](5);
        p.calldatas = new bytes[](5);
        p.description = "five changes";
        MarketParams memory m = marketParams();
        m.feeBps = 300;
        (p.targets[0], p.calldatas[0]) = (address(market), abi.encodeCall(market.setParams, (m)));
        RegistryParams memory r = registryParams();
        r.jailPeriod = 1 hours;
        (p.targets[1], p.calldatas[1]) = (address(registry), abi.encodeCall(registry.setParams, (r)));
        RewardsParams memory w = rewardsParams();
        w.stakerFeeBps = 1_000;
        (p.targets[2], p.calldatas[2]) = (address(rewards), abi.encodeCall(rewards.setParams, (w)));
        StakingParams memory s = stakingParams();
        s.maxPowerBps = 5_000;
        (p.targets[3], p.calldatas[3]) = (address(staking), abi.encodeCall(staking.setParams, (s)));
        FaucetParams memory f = faucetParams();
        f.amount = 5 ether;
        (p.targets[4], p.calldatas[4]) = (address(faucet), abi.encodeCall(faucet.setParams, (f)));
        gov.execute(pass(p));
        vm.assertEq(market.params().feeBps, 300, "market");
        vm.assertEq(registry.params().jailPeriod, 1 hours, "registry");
        vm.assertEq(rewards.nextParams().stakerFeeBps, 1_000, "rewards");
        vm.assertEq(staking.params().maxPowerBps, 5_000, "staking");
        vm.assertEq(faucet.params().amount, 5 ether, "faucet");
    }

    function test_AnAuthorityIsAdmittedAndRemoved() public {
        enact(address(staking), abi.encodeCall(staking.setAuthority, (operator(7), true)));
        create(7, 200 ether);
        vm.assertTrue(staking.validator(operator(7)).authority, "admitted");
        Plan memory p = plan(address(staking), abi.encodeCall(staking.setAuthority, (operator(0), false)));
        p.description = "a removal";
        gov.execute(pass(p));
        vm.assertTrue(!staking.validator(operator(0)).authority, "removed");
    }

    function test_TheTreasuryIsSpent() public {
        vm.deal(address(this), 10 ether);
        (bool ok,) = address(treasury).call{value: 10 ether}("");
        vm.assertTrue(ok, "received");
        enact(address(treasury), abi.encodeCall(treasury.spend, (address(0x9009), 4 ether)));
        vm.assertEq(address(0x9009).balance, 4 ether, "spent");
        vm.assertEq(treasury.owed(), 6 ether, "left");
    }

    function test_APredeployIsUpgraded() public {
        address code = Code.make("GovernorPaths.t.sol:LaterMarket");
        enact(address(market), abi.encodeCall(market.upgradeToAndCall, (code, "")));
        vm.assertEq(LaterMarket(payable(address(market))).generation(), 2, "upgraded");
        vm.assertEq(market.params().feeBps, 250, "state");
    }

    function test_ANodeUpgradeIsPlannedAndDropped() public {
        enact(address(upgrades), abi.encodeCall(upgrades.schedule, ("v2", 1_000_000, "sha256:00")));
        (string memory name, uint64 height,) = upgrades.plan();
        vm.assertEq(keccak256(bytes(name)), keccak256("v2"), "name");
        vm.assertEq(height, 1_000_000, "height");
        enact(address(upgrades), abi.encodeCall(upgrades.cancel, ()));
        (, height,) = upgrades.plan();
        vm.assertEq(height, 0, "dropped");
    }

    function test_TheGovernorsOwnSettings() public {
        Plan memory p;
        p.targets = new address[](4);
        p.values = new uint256[](4);
        p.calldatas = new bytes[](4);
        for (uint256 i; i < 4; ++i) {
            p.targets[i] = address(gov);
        }
        p.calldatas[0] = abi.encodeCall(gov.setVotingDelay, (2 hours));
        p.calldatas[1] = abi.encodeCall(gov.setVotingPeriod, (1 days));
        p.calldatas[2] = abi.encodeCall(gov.setProposalThreshold, (50 ether));
        p.calldatas[3] = abi.encodeCall(gov.updateQuorumNumerator, (3_000));
        gov.execute(pass(p));
        vm.assertEq(gov.votingDelay(), 2 hours, "delay");
        vm.assertEq(gov.votingPeriod(), 1 days, "period");
        vm.assertEq(gov.proposalThreshold(), 50 ether, "threshold");
        vm.assertEq(gov.quorumNumerator(), 3_000, "quorum");
        enact(address(timelock), abi.encodeCall(timelock.updateDelay, (2 days)));
        vm.assertEq(timelock.getMinDelay(), 2 days, "the timelock's too");
    }

    /// @dev No vote makes governance unable to decide.
    function test_TheGovernorsSettingsHaveBounds() public {
        bytes[4] memory calls = [
            abi.encodeCall(gov.setVotingDelay, (30 days + 1)),
            abi.encodeCall(gov.setVotingPeriod, (90 days + 1)),
            abi.encodeCall(gov.updateQuorumNumerator, (5_001)),
            abi.encodeCall(gov.updateQuorumNumerator, (99))
        ];
        string[4] memory names = ["votingDelay", "votingPeriod", "quorumBps", "quorumBps"];
        for (uint256 i; i < 4; ++i) {
            uint256 id = pass(plan(address(gov), calls[i]));
            vm.expectRevert(abi.encodeWithSelector(IGovernance.BadParameter.selector, names[i]));
            gov.execute(id);
        }
        enact(address(gov), abi.encodeCall(gov.setProposalThreshold, (type(uint256).max)));
        vm.assertEq(gov.proposalThreshold(), 190 ether, "a twentieth of all stake may always propose");
        enact(address(timelock), abi.encodeCall(timelock.updateDelay, (type(uint256).max)));
        vm.assertEq(timelock.getMinDelay(), 30 days, "nothing waits longer");
        enact(address(timelock), abi.encodeCall(timelock.updateDelay, (1 days)));
    }

    function test_GovernorAndTimelockAreUpgraded() public {
        enact(address(gov), abi.encodeCall(gov.upgradeToAndCall, (Code.make("GovernorPaths.t.sol:LaterGovernor"), "")));
        vm.assertEq(LaterGovernor(payable(address(gov))).generation(), 2, "governor");
        vm.assertEq(gov.votingPeriod(), PERIOD, "state");
        enact(
            address(timelock),
            abi.encodeCall(timelock.upgradeToAndCall, (Code.make("GovernorPaths.t.sol:LaterTimelock"), ""))
        );
        vm.assertEq(LaterTimelock(payable(address(timelock))).generation(), 2, "timelock");
        enact(address(faucet), abi.encodeCall(faucet.drain, ()));
    }

    /// @dev Governance itself can move, in two steps, and what moved obeys nobody else.
    function test_APredeployMovesToAnotherGovernor() public {
        enact(address(faucet), abi.encodeCall(faucet.offerGovernance, (alice)));
        vm.prank(alice);
        faucet.acceptGovernance();
        uint256 id = pass(plan(address(faucet), abi.encodeCall(faucet.drain, ())));
        vm.expectRevert();
        gov.execute(id);
        vm.prank(alice);
        faucet.drain();
    }

    /// @dev A proposal of which one call fails does nothing, and can be tried again.
    function test_AllCallsOrNone() public {
        Plan memory p;
        (p.targets, p.values, p.calldatas) = (new address[](2), new uint256[](2), new bytes[](2));
        (p.targets[0], p.calldatas[0]) = (address(upgrades), abi.encodeCall(upgrades.schedule, ("v2", 9_999, "")));
        (p.targets[1], p.calldatas[1]) = (address(treasury), abi.encodeCall(treasury.spend, (address(0x9009), 4 ether)));
        uint256 id = pass(p);
        vm.expectRevert();
        gov.execute(id);
        (, uint64 height,) = upgrades.plan();
        vm.assertEq(height, 0, "nothing happened");
        vm.deal(address(this), 4 ether);
        (bool ok,) = address(treasury).call{value: 4 ether}("");
        vm.assertTrue(ok, "received");
        gov.execute(id);
        assertState(id, IGovernor.ProposalState.Executed);
    }
}
