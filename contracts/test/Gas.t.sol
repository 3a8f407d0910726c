// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Receipt, SingleOrder} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice What the common calls cost as transactions of their own, and the bound that the gas cap sets.
/// @dev Isolation makes every call a transaction: storage is cold, and calldata and the 21,000 are counted.
/// forge-config: default.isolate = true
contract GasTest is Fixture {
    uint256 private constant CAP = 16_777_216;

    function test_VouchersInOneTransaction() public {
        uint256 n = 400;
        bytes memory vouchers = sessions(n, 0);
        settleVouchers(vouchers);
        uint256 many = vm.lastCallGas().gasTotalUsed;
        vouchers = sessions(n, n);
        settleVouchers(slice(vouchers, 0, 96));
        uint256 one = vm.lastCallGas().gasTotalUsed;
        uint256 each = (many - one) / (n - 1);
        emit log_named_uint("gas per voucher", each);
        emit log_named_uint("gas of a settle with one voucher", one);
        emit log_named_uint("vouchers within the cap of one transaction", (CAP - one) / each + 1);
    }

    function test_LifeOfASession() public {
        uint64 id = open(1 ether);
        report("openSession");
        vm.prank(client);
        market.topUp{value: 1 ether}(id);
        report("topUp");
        vm.prank(client);
        market.requestClose(id);
        report("requestClose");
        bytes memory signature = closing(COORDINATOR_SIGNER_KEY, id, 0.5 ether);
        vm.prank(client);
        market.closeByAgreement(id, 0.5 ether, signature);
        report("closeByAgreement");
        id = open(1 ether);
        vm.warp(time() + 1 days);
        market.refund(id);
        report("refund");
    }

    function test_OrdersAndCredits() public {
        uint64 id = open(1 ether);
        settleOrder(single(id, 1, 0.1 ether));
        uint256 one = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("settle with one single order", one);
        SingleOrder[] memory list = new SingleOrder[](10);
        for (uint64 i; i < 10; ++i) {
            list[i] = single(open(1 ether), 1, 0.1 ether);
        }
        settle("", list, "");
        emit log_named_uint("each further single order", (vm.lastCallGas().gasTotalUsed - one) / 9);

        bytes memory credits;
        for (uint160 i; i < 50; ++i) {
            vm.deal(address(0xbeef0000 + i), 1);
            credits = bytes.concat(credits, credit(address(0xbeef0000 + i), 0.001 ether));
        }
        settleCredits(credit(miner, 0.001 ether));
        one = vm.lastCallGas().gasTotalUsed;
        settleCredits(credits);
        emit log_named_uint("each first credit of a miner", (vm.lastCallGas().gasTotalUsed - one) / 49);
        credits = "";
        for (uint160 i; i < 50; ++i) {
            credits = bytes.concat(credits, credit(address(0xbeef0000 + i), 0.002 ether));
        }
        settleCredits(credit(miner, 0.002 ether));
        one = vm.lastCallGas().gasTotalUsed;
        settleCredits(credits);
        emit log_named_uint("each later credit of a miner", (vm.lastCallGas().gasTotalUsed - one) / 49);
    }

    function test_Claim() public {
        uint64 id = open(1 ether);
        vm.prank(coordinator);
        market.setMinerLimit(miner, 1 ether);
        report("setMinerLimit");
        Receipt memory a = answer(order(id, 1, 0.1 ether), 0.1 ether);
        (bytes32 r, bytes32 vs) = countersign(COORDINATOR_SIGNER_KEY, a, 0.1 ether);
        vm.warp(time() + 601);
        market.claimReceipt(a, 0.1 ether, r, vs);
        report("claimReceipt from the bond");
    }

    /// @dev The worst block: every client is another and has spent its last coin.
    function test_EndBlockWithAFullBatch() public {
        for (uint160 i; i < 64; ++i) {
            address one = address(0xc11e0000 + i);
            vm.deal(one, 1 ether);
            open(one, 1 ether, uint64(START) + 1 days + uint64(i));
        }
        vm.warp(START + 2 days);
        endBlock();
        report("endBlock with 64 refunds");
        vm.assertEq(market.owed(), 0, "all were paid");
        endBlock();
        report("endBlock with nothing to do");
    }

    function report(string memory what) private {
        emit log_named_uint(what, vm.lastCallGas().gasTotalUsed);
    }

    function sessions(uint256 n, uint256 offset) private returns (bytes memory out) {
        bytes[] memory list = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            uint64 id = open(1 ether);
            list[i] = voucher(id, uint64(offset + i + 1000), uint128(123_456_789_012_345_678 + i));
        }
        out = join(list);
    }

    function join(bytes[] memory list) private pure returns (bytes memory out) {
        out = new bytes(list.length * 96);
        for (uint256 i; i < list.length; ++i) {
            bytes memory b = list[i];
            assembly {
                let to := add(add(out, 0x20), mul(i, 96))
                mcopy(to, add(b, 0x20), 96)
            }
        }
    }

    function slice(bytes memory b, uint256 from, uint256 length) private pure returns (bytes memory out) {
        out = new bytes(length);
        assembly {
            mcopy(add(out, 0x20), add(add(b, 0x20), from), length)
        }
    }
}
