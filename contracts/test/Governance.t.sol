// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IRegistry} from "../src/interfaces/IRegistry.sol";
import {ITreasury} from "../src/interfaces/ITreasury.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Market} from "../src/Market.sol";
import {Registry} from "../src/Registry.sol";
import {Treasury} from "../src/Treasury.sol";
import {MarketParams, RegistryParams} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {RevertingClient} from "./support/Receivers.sol";

/// @notice A later Market.
contract NextMarket is Market {
    function generation() external pure returns (uint256) {
        return 2;
    }
}

/// @notice Parameters, upgrades, the treasury, and where state lies.
contract GovernanceTest is Fixture {
    function test_MarketParametersHaveBounds() public {
        string[8] memory names = [
            "feeBps",
            "minDeposit",
            "maxOrderDuration",
            "claimDelay",
            "maxSessionDuration",
            "closeWindow",
            "refundsPerBlock",
            "refundsPerBlock"
        ];
        for (uint256 i; i < names.length; ++i) {
            MarketParams memory p = marketParams();
            if (i == 0) p.feeBps = 2_001;
            if (i == 1) p.minDeposit = 0;
            if (i == 2) p.maxOrderDuration = 0;
            if (i == 3) p.claimDelay = 0;
            if (i == 4) p.maxSessionDuration = 367 days;
            if (i == 5) p.closeWindow = p.maxOrderDuration + p.margin - 1;
            if (i == 6) p.refundsPerBlock = 0;
            if (i == 7) p.refundsPerBlock = 257;
            vm.prank(governor);
            vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadParameter.selector, names[i]));
            market.setParams(p);
        }
        MarketParams memory q = marketParams();
        q.closeWindow = q.maxSessionDuration + 1;
        vm.prank(governor);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadParameter.selector, "closeWindow"));
        market.setParams(q);
        q = marketParams();
        q.claimDelay = 48 hours;
        vm.prank(governor);
        vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadParameter.selector, "unbondDelay"));
        market.setParams(q);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        market.setParams(marketParams());
    }

    function test_RegistryParametersHaveBounds() public {
        string[5] memory names = ["unbondDelay", "unbondDelay", "minMinerStake", "minCoordinatorBond", "jailPeriod"];
        for (uint256 i; i < names.length; ++i) {
            RegistryParams memory p = registryParams();
            if (i == 0) p.unbondDelay = market.holdDelay() - 1;
            if (i == 1) p.unbondDelay = 91 days;
            if (i == 2) p.minMinerStake = 0;
            if (i == 3) p.minCoordinatorBond = 0;
            if (i == 4) p.jailPeriod = 31 days;
            vm.prank(governor);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.BadParameter.selector, names[i]));
            registry.setParams(p);
        }
    }

    function test_AParameterThatPassedActsFromThenOn() public {
        uint64 old = open(1 ether);
        MarketParams memory p = marketParams();
        (p.feeBps, p.closeWindow) = (1_000, 2 hours);
        vm.prank(governor);
        market.setParams(p);
        uint64 next = open(1 ether);
        settleVouchers(bytes.concat(voucher(old, 1, 1 ether), voucher(next, 1, 1 ether)));
        vm.assertEq(market.fees(), 0.025 ether + 0.1 ether, "each session keeps the fee it was opened with");
        vm.assertEq(market.params().closeWindow, 2 hours, "params");
    }

    function test_OnlyTheGovernorUpgradesAndStateStays() public {
        uint64 id = open(1 ether);
        address next = Code.make("Governance.t.sol:NextMarket");
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        market.upgradeToAndCall(next, "");
        vm.prank(governor);
        market.upgradeToAndCall(next, "");
        vm.assertEq(NextMarket(payable(address(market))).generation(), 2, "upgraded");
        vm.assertEq(market.session(id).deposit, 1 ether, "state");
        vm.prank(governor);
        vm.expectRevert();
        market.upgradeToAndCall(address(this), "");
    }

    function test_NobodyInitializesAgain() public {
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        market.initialize(address(this), address(registry), address(treasury), address(0), marketParams(), jobParams());
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        registry.initialize(address(this), address(market), registryParams());
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        treasury.initialize(address(this));
        Market code = Market(payable(Code.make("Market.sol:Market")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(address(this), address(registry), address(treasury), address(0), marketParams(), jobParams());
        Registry registryCode = Registry(payable(Code.make("Registry.sol:Registry")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        registryCode.initialize(address(this), address(market), registryParams());
        Treasury treasuryCode = Treasury(payable(Code.make("Treasury.sol:Treasury")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        treasuryCode.initialize(address(this));
    }

    function test_GovernanceMovesInTwoSteps() public {
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        market.offerGovernance(address(this));
        vm.prank(governor);
        market.offerGovernance(client);
        vm.assertEq(market.governor(), governor, "not yet");
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        market.acceptGovernance();
        vm.prank(client);
        market.acceptGovernance();
        vm.assertEq(market.governor(), client, "moved");
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, client));
        market.acceptGovernance();
    }

    function test_TreasurySpendsByTheGovernor() public {
        vm.deal(address(this), 3 ether);
        (bool ok,) = address(treasury).call{value: 3 ether}("");
        vm.assertTrue(ok, "takes coins from anyone");
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        treasury.spend(address(9), 1);
        vm.startPrank(governor);
        vm.expectRevert(ITreasury.BadAmount.selector);
        treasury.spend(address(9), 3 ether + 1);
        vm.expectRevert(Governed.ZeroAddress.selector);
        treasury.spend(address(0), 1);
        address refusing = address(new RevertingClient(market));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.TransferFailed.selector, refusing));
        treasury.spend(refusing, 1);
        treasury.spend(address(0x9009), 2 ether);
        vm.stopPrank();
        vm.assertEq(address(0x9009).balance, 2 ether, "spent");
        vm.assertEq(treasury.owed(), 1 ether, "owed");
        vm.assertEq(address(treasury).balance, 1 ether, "balance");
    }

    /// @dev The slots that light clients prove, as PROTOCOL.md has them.
    function test_SessionsLieWhereTheProtocolSays() public {
        uint64 id = open(3 ether);
        settleVouchers(voucher(id, 77, 1 ether));
        bytes32 base = keccak256(abi.encode(uint256(keccak256("aitbc.storage.Market")) - 1)) & ~bytes32(uint256(0xff));
        uint256 slot = uint256(keccak256(abi.encode(id, base)));
        uint64 expiry = uint64(time()) + 1 days;
        assertSlot(slot, uint256(uint160(client)) | uint256(expiry) << 160);
        assertSlot(slot + 1, uint256(uint160(coordinator)) | uint256(expiry) << 160);
        assertSlot(slot + 2, uint256(uint160(spender)) | uint256(250) << 160 | uint256(1) << 176);
        assertSlot(slot + 3, uint256(3 ether) | uint256(1 ether) << 96 | uint256(77) << 192);
    }

    function test_DomainIsTheMarkets() public view {
        (bytes1 fields, string memory name, string memory version, uint256 chain, address at_,,) = market.eip712Domain();
        vm.assertEq(uint8(fields), 0x0f, "fields");
        vm.assertEq(chain, block.chainid, "chain");
        vm.assertEq(at_, address(market), "contract");
        vm.assertEq(
            market.domainSeparator(),
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256(bytes(name)),
                    keccak256(bytes(version)),
                    chain,
                    at_
                )
            ),
            "separator"
        );
        vm.assertEq(keccak256(bytes(name)), keccak256("AITBC"), "name");
    }

    function assertSlot(uint256 slot, uint256 expected) private view {
        vm.assertEq(uint256(vm.load(address(market), bytes32(slot))), expected, "slot");
    }
}
