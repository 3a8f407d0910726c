// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What forge's invariants call: one handler, from an address that is nobody's.
/// @dev A handler acts as its people itself. A caller that forge draws may be one of them, and after a call of his that
/// reverts forge can forget his coins: sums then fail where nothing was lost.
abstract contract Targets {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function handler() internal view virtual returns (address);

    function targetSenders() external pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(0xca11);
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = handler();
    }
}
