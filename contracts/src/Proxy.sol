// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// The proxy of every predeploy is OpenZeppelin's, compiled with our settings.
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
