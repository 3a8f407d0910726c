// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @title Governed
/// @notice A contract behind a proxy that one governor owns: it sets parameters and authorises upgrades.
/// @dev Governance moves in two steps, so that it cannot be given to an address that nobody holds.
abstract contract Governed is Initializable, UUPSUpgradeable {
    /// @custom:storage-location erc7201:aitbc.storage.Governed
    struct GovernedStorage {
        address governor;
        address pending;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Governed")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant GOVERNED_SLOT = 0xaa656092724fbad4bc8dc58c0bb53e50830d863d5a1637e769293908a2bfd300;

    /// @notice The caller may not do this.
    error Unauthorized(address caller);
    /// @notice An address that must not be zero is zero.
    error ZeroAddress();

    /// @notice Governance was offered to an address, which must accept it.
    event GovernanceOffered(address indexed from, address indexed to);
    /// @notice Governance moved.
    event GovernanceMoved(address indexed from, address indexed to);

    modifier onlyGovernor() {
        if (msg.sender != _governed().governor) revert Unauthorized(msg.sender);
        _;
    }

    /// @notice Returns the governor.
    function governor() external view returns (address) {
        return _governed().governor;
    }

    /// @notice Offers governance to an address; zero takes an offer back.
    function offerGovernance(address to) external onlyGovernor {
        _governed().pending = to;
        emit GovernanceOffered(msg.sender, to);
    }

    /// @notice Takes governance that was offered to the caller.
    function acceptGovernance() external {
        GovernedStorage storage g = _governed();
        if (msg.sender != g.pending) revert Unauthorized(msg.sender);
        emit GovernanceMoved(g.governor, msg.sender);
        (g.governor, g.pending) = (msg.sender, address(0));
    }

    function _initGovernor(address to) internal onlyInitializing {
        if (to == address(0)) revert ZeroAddress();
        _governed().governor = to;
        emit GovernanceMoved(address(0), to);
    }

    function _authorizeUpgrade(address) internal view override onlyGovernor {}

    function _governed() private pure returns (GovernedStorage storage g) {
        bytes32 slot = GOVERNED_SLOT;
        assembly ("memory-safe") {
            g.slot := slot
        }
    }
}
