// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SingleOrder} from "../src/Types.sol";
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
