// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What forge's invariants call: one handler, from an address that is nobody's.
/// @dev A handler acts as its people itself. A caller that forge draws may be one of them, and after a call of his that
/// reverts forge can forget his coins: sums then fail where nothing was lost.
abstract contract Targets {
    /// @dev After how many calls everybody is asked.
    uint256 internal constant EVERY = 32;

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

    /// @dev Returns these functions of the handler; one that comes twice is called twice as often.
    function only(bytes4[] memory selectors) internal view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(handler(), selectors);
    }
}
