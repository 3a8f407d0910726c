// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// An OpenZeppelin token for measurements and for tests of tools: each of the first holders begins with the same.
contract Token is ERC20 {
    constructor(address[] memory holders, uint256 each) ERC20("Token", "TOK") {
        for (uint256 i = 0; i < holders.length; i++) {
            _mint(holders[i], each);
        }
    }
}
