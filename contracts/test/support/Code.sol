// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @title Code
/// @notice Makes contracts out of what was compiled, as `new` does.
/// @dev A contract that says `new` has the other's code in its own, and the compiler optimizes it there once more: for
/// forty tests that each make the predeploys this takes longer than all else.
library Code {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @param what file and contract, as in "Market.sol:Market"
    function make(string memory what) internal returns (address) {
        return VM.deployCode(what);
    }

    /// @param args what the constructor takes, as abi.encode gives it
    function make(string memory what, bytes memory args) internal returns (address) {
        return VM.deployCode(what, args);
    }

    /// @return the creation code
    function creation(string memory what) internal view returns (bytes memory) {
        return VM.getCode(what);
    }
}
