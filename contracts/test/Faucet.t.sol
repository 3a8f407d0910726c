// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {Faucet} from "../src/Faucet.sol";
import {FaucetParams, IFaucet} from "../src/interfaces/IFaucet.sol";
import {Governed} from "../src/lib/Governed.sol";
import {Treasury} from "../src/Treasury.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Asks again as soon as it is paid.
contract Greedy {
    Faucet private immutable faucet;

    constructor(Faucet faucet_) {
        faucet = faucet_;
    }

    receive() external payable {
        faucet.drip(address(this));
    }
}

/// @notice What a faucet gives, to whom, and how often.
contract FaucetTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant GOVERNOR = address(0x6000000000000000000000000000000000000006);
    uint256 private constant START = 1_800_000_000;

    Faucet private faucet;
    Treasury private treasury;

    function setUp() public {
        vm.warp(START);
        treasury = Treasury(
            payable(new ERC1967Proxy(
                    Code.make("Treasury.sol:Treasury"), abi.encodeCall(Treasury.initialize, (GOVERNOR))
                ))
        );
        bytes memory init = abi.encodeCall(Faucet.initialize, (GOVERNOR, address(treasury), parameters()));
        faucet = Faucet(payable(new ERC1967Proxy(Code.make("Faucet.sol:Faucet"), init)));
        vm.deal(address(faucet), 1_000 ether);
    }

    function parameters() private pure returns (FaucetParams memory) {
        return FaucetParams({amount: 10 ether, hourlyCap: 35 ether, cooldown: 1 days});
    }

    function test_AnyoneAsksForAnyone() public {
        faucet.drip(to(1));
        vm.prank(to(1));
        faucet.drip(to(2));
        vm.assertEq(to(1).balance, 10 ether, "given");
        vm.assertEq(to(2).balance, 10 ether, "given");
        vm.assertEq(faucet.available(), 15 ether, "left of the hour");
        vm.assertEq(faucet.owed(), 0, "owes nobody");
    }

    function test_AReceiverWaits() public {
        faucet.drip(to(1));
        vm.assertEq(faucet.nextDrip(to(1)), START + 1 days, "next");
        vm.warp(START + 1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IFaucet.TooSoon.selector, uint64(START + 1 days)));
        faucet.drip(to(1));
        vm.warp(START + 1 days);
        faucet.drip(to(1));
        vm.assertEq(to(1).balance, 20 ether, "twice");
        vm.assertEq(faucet.nextDrip(to(2)), 0, "nothing yet");
    }

    function test_AnHourHasItsCap() public {
        for (uint160 i = 1; i < 4; ++i) {
            faucet.drip(to(i));
        }
        vm.expectRevert(IFaucet.HourlyCapReached.selector);
        faucet.drip(to(4));
        vm.warp(START + 1 hours);
        faucet.drip(to(4));
        vm.assertEq(faucet.available(), 25 ether, "a new hour");
    }

    function test_AnEmptyFaucetRefuses() public {
        vm.deal(address(faucet), 10 ether - 1);
        vm.expectRevert(IFaucet.Empty.selector);
        faucet.drip(to(1));
        (bool ok,) = address(faucet).call{value: 1}("");
        vm.assertTrue(ok, "takes coins from anyone");
        faucet.drip(to(1));
    }

    function test_ReceiversDoNoHarm() public {
        address greedy = address(new Greedy(faucet));
        vm.expectRevert(abi.encodeWithSelector(IFaucet.TransferFailed.selector, greedy));
        faucet.drip(greedy);
        vm.expectRevert(Governed.ZeroAddress.selector);
        faucet.drip(address(0));
        vm.assertEq(faucet.available(), 35 ether, "nothing given");
    }

    function test_TheGovernorSetsAndDrains() public {
        bytes memory denied = abi.encodeWithSelector(Governed.Unauthorized.selector, address(this));
        vm.expectRevert(denied);
        faucet.drain();
        vm.expectRevert(denied);
        faucet.setParams(parameters());
        string[3] memory names = ["amount", "hourlyCap", "cooldown"];
        for (uint256 i; i < 3; ++i) {
            FaucetParams memory bad = parameters();
            if (i == 0) bad.amount = 0;
            if (i == 1) bad.hourlyCap = 10 ether - 1;
            if (i == 2) bad.cooldown = 30 days + 1;
            vm.prank(GOVERNOR);
            vm.expectRevert(abi.encodeWithSelector(IFaucet.BadParameter.selector, names[i]));
            faucet.setParams(bad);
        }
        faucet.drip(to(1));
        faucet.drip(to(2));
        vm.prank(GOVERNOR);
        faucet.setParams(FaucetParams({amount: 1 ether, hourlyCap: 5 ether, cooldown: 0}));
        vm.assertEq(faucet.available(), 0, "the hour has had more than the new cap");
        vm.warp(START + 1 hours);
        faucet.drip(to(1));
        vm.assertEq(to(1).balance, 11 ether, "the new amount, at once");
        vm.prank(GOVERNOR);
        faucet.drain();
        vm.assertEq(treasury.owed(), 979 ether, "all of it");
        vm.assertEq(address(faucet).balance, 0, "empty");
    }

    function test_NobodyInitializesAgain() public {
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        faucet.initialize(address(this), address(treasury), parameters());
        Faucet code = Faucet(payable(Code.make("Faucet.sol:Faucet")));
        vm.expectRevert(Initializable.InvalidInitialization.selector);
        code.initialize(address(this), address(treasury), parameters());
    }

    /// @dev However it is asked, an account gets at most its amount a cooldown, and all together the cap an hour.
    function testFuzz_TheBoundsHold(uint32[24] calldata waits, uint8[24] calldata who) public {
        uint256 hour;
        uint256 given;
        uint256[4] memory last;
        for (uint256 i; i < waits.length; ++i) {
            vm.warp(vm.getBlockTimestamp() + waits[i] % 40_000);
            uint256 now_ = vm.getBlockTimestamp();
            uint256 receiver = who[i] % 4;
            uint256 before = to(uint160(receiver + 1)).balance;
            try faucet.drip(to(uint160(receiver + 1))) {} catch {}
            uint256 got = to(uint160(receiver + 1)).balance - before;
            if (now_ / 3600 != hour) (hour, given) = (now_ / 3600, 0);
            given += got;
            vm.assertLe(given, 35 ether, "hour");
            if (got == 0) continue;
            vm.assertEq(got, 10 ether, "amount");
            vm.assertTrue(last[receiver] == 0 || now_ >= last[receiver] + 1 days, "cooldown");
            last[receiver] = now_;
        }
    }

    function to(uint160 i) private pure returns (address) {
        return address(0xdead0000 + i);
    }
}
