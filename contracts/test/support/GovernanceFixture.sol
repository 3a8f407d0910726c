// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Faucet} from "../../src/Faucet.sol";
import {Governor} from "../../src/governance/Governor.sol";
import {Timelock} from "../../src/governance/Timelock.sol";
import {FaucetParams} from "../../src/interfaces/IFaucet.sol";
import {GovernorParams} from "../../src/interfaces/IGovernance.sol";
import {JobParams} from "../../src/JobTypes.sol";
import {Market} from "../../src/Market.sol";
import {Registry} from "../../src/Registry.sol";
import {Rewards} from "../../src/Rewards.sol";
import {Mode, RewardsParams} from "../../src/StakingTypes.sol";
import {MarketParams, RegistryParams} from "../../src/Types.sol";
import {Upgrades} from "../../src/Upgrades.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice All predeploys, governed by the Timelock: three validators with 1,000 coins each, and two delegators.
abstract contract GovernanceFixture is StakingFixture {
    uint48 internal constant DELAY = 1 hours;
    uint32 internal constant PERIOD = 3 days;
    uint256 internal constant WAIT = 1 days;

    Registry internal registry;
    Market internal market;
    Rewards internal rewards;
    Upgrades internal upgrades;
    Faucet internal faucet;
    Governor internal gov;
    Timelock internal timelock;
    address internal alice = address(0xa11ce00000000000000);
    address internal bob = address(0xb0b0000000000000000);

    /// @dev A proposal, with one call or several.
    struct Plan {
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        string description;
    }

    function setUp() public virtual {
        Timelock timelockCode = Timelock(payable(Code.make("Timelock.sol:Timelock")));
        uint64 nonce = vm.getNonce(address(this));
        address[] memory executors = new address[](1);
        address[] memory proposers = new address[](1);
        proposers[0] = vm.computeCreateAddress(address(this), nonce + 2);
        timelock = Timelock(
            payable(proxy(
                    address(timelockCode), abi.encodeCall(Timelock.initialize, (WAIT, proposers, executors, address(0)))
                ))
        );
        governor = address(timelock);
        Governor govCode = Governor(payable(Code.make("Governor.sol:Governor")));
        address stakingAt = vm.computeCreateAddress(address(this), nonce + 6);
        gov = Governor(
            payable(proxy(
                    address(govCode),
                    abi.encodeCall(Governor.initialize, (stakingAt, payable(address(timelock)), governorParams()))
                ))
        );
        deploy(Mode.HYBRID, 3);
        vm.assertEq(address(staking), stakingAt, "staking's place");
        rest();
        delegate(alice, 0, 400 ether);
        delegate(bob, 0, 300 ether);
        delegate(bob, 1, 100 ether);
        vm.warp(time() + 10);
    }

    function governorParams() internal pure returns (GovernorParams memory) {
        return GovernorParams(DELAY, PERIOD, 100 ether, 2_000);
    }

    function marketParams() internal pure returns (MarketParams memory) {
        return MarketParams(250, 1e15, 30 days, 1 hours, 45 minutes, 60, 10 minutes, 64);
    }

    function jobParams() internal pure returns (JobParams memory) {
        return JobParams(1e15, 1e16, 2_000, 30 days, 6 hours, 2 hours, 32, 0);
    }

    function registryParams() internal pure returns (RegistryParams memory) {
        return RegistryParams(1_000 ether, 10_000 ether, 48 hours, 24 hours);
    }

    function rewardsParams() internal pure returns (RewardsParams memory) {
        return RewardsParams(1e17, 2e17, 1 hours, 5_000, 3_000);
    }

    function faucetParams() internal pure returns (FaucetParams memory) {
        return FaucetParams(100 ether, 10_000 ether, 1 days);
    }

    function rest() internal {
        Registry registryCode = Registry(payable(Code.make("Registry.sol:Registry")));
        Market marketCode = Market(payable(Code.make("Market.sol:Market")));
        Rewards rewardsCode = Rewards(payable(Code.make("Rewards.sol:Rewards")));
        uint64 nonce = vm.getNonce(address(this));
        address marketAt = vm.computeCreateAddress(address(this), nonce + 1);
        address rewardsAt = vm.computeCreateAddress(address(this), nonce + 2);
        address to = address(treasury);
        registry = Registry(
            proxy(address(registryCode), abi.encodeCall(Registry.initialize, (governor, marketAt, registryParams())))
        );
        bytes memory init = abi.encodeCall(
            Market.initialize, (governor, address(registry), to, rewardsAt, marketParams(), jobParams())
        );
        market = Market(payable(proxy(address(marketCode), init)));
        init = abi.encodeCall(Rewards.initialize, (governor, marketAt, address(staking), to, rewardsParams()));
        rewards = Rewards(proxy(address(rewardsCode), init));
        upgrades = Upgrades(proxy(Code.make("Upgrades.sol:Upgrades"), abi.encodeCall(Upgrades.initialize, (governor))));
        init = abi.encodeCall(Faucet.initialize, (governor, to, faucetParams()));
        faucet = Faucet(payable(proxy(Code.make("Faucet.sol:Faucet"), init)));
    }

    function proxy(address code, bytes memory init) private returns (address) {
        return address(new ERC1967Proxy(code, init));
    }

    function plan(address target, bytes memory data) internal pure returns (Plan memory p) {
        p.targets = new address[](1);
        p.values = new uint256[](1);
        p.calldatas = new bytes[](1);
        (p.targets[0], p.calldatas[0]) = (target, data);
        p.description = "a change";
    }

    function propose(address who, Plan memory p) internal returns (uint256) {
        vm.prank(who);
        return gov.propose(p.targets, p.values, p.calldatas, p.description);
    }

    /// @dev Proposes and goes on to where voting begins.
    function start(Plan memory p) internal returns (uint256 id) {
        id = propose(operator(1), p);
        vm.warp(gov.proposalSnapshot(id) + 1);
    }

    function vote(uint256 i, uint256 id, uint8 support) internal returns (uint256) {
        vm.prank(operator(i));
        return gov.castVote(id, support);
    }

    function overrideVote(address who, uint256 id, uint256 i, uint8 support) internal returns (uint256) {
        vm.prank(who);
        return gov.castOverrideVote(id, operator(i), support, "");
    }

    /// @dev The whole way of a proposal that all want, up to where it can be executed.
    function pass(Plan memory p) internal returns (uint256 id) {
        id = start(p);
        for (uint256 i; i < 3; ++i) {
            vote(i, id, 1);
        }
        vm.warp(gov.proposalDeadline(id) + 1);
        gov.queue(id);
        vm.warp(gov.proposalEta(id));
    }

    function enact(address target, bytes memory data) internal returns (uint256 id) {
        id = pass(plan(target, data));
        gov.execute(id);
        assertState(id, IGovernor.ProposalState.Executed);
    }

    function assertState(uint256 id, IGovernor.ProposalState expected) internal view {
        vm.assertEq(uint256(gov.state(id)), uint256(expected), "state");
    }

    function assertVotes(uint256 id, uint256 against, uint256 for_, uint256 abstain) internal view {
        (uint256 a, uint256 f, uint256 b) = gov.proposalVotes(id);
        vm.assertEq(a, against, "against");
        vm.assertEq(f, for_, "for");
        vm.assertEq(b, abstain, "abstain");
    }
}
