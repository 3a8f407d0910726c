// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarket} from "../interfaces/IMarket.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Reason} from "../lib/Reason.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Receipt} from "../Types.sol";
import {MarketSettlement} from "./MarketSettlement.sol";

/// @title MarketClaims
/// @notice A miner's way to its pay without the coordinator's help.
abstract contract MarketClaims is MarketSettlement {
    /// @inheritdoc IMarket
    /// @dev The countersignature is the debt: whoever signed it wrote down miner and total. A coordinator whose
    /// settlement account did not suffice is jailed, whether its bond covered the rest or not.
    function claimReceipt(Receipt calldata receipt, uint128 minerTotal, bytes32 r, bytes32 vs) external nonReentrant {
        if (receipt.version != 1) revert BadVersion(receipt.version);
        MarketState storage s = _state();
        uint256 earliest = (uint256(receipt.finishedAt) + 999) / 1000 + s.params.claimDelay;
        if (block.timestamp < earliest) revert ClaimTooEarly(uint64(earliest));

        (address coordinator, address miner) = (receipt.coordinator, receipt.miner);
        bytes32 domain = TypedData.separator(address(this));
        bytes32 digest = TypedData.receipt(domain, receipt);
        address signer = Signature.recover(TypedData.countersignature(domain, digest, miner, minerTotal), r, vs);
        IRegistry registry_ = IRegistry(s.registry);
        if (signer == address(0) || !registry_.signerValid(COORDINATOR, coordinator, signer)) revert BadSignature();

        uint128 before = s.credited[coordinator][miner];
        Payment memory p = _credit(coordinator, miner, minerTotal);
        if (p.reason == Reason.NOTHING_OWED) revert NothingOwed();
        if (p.fromBond != 0 || p.paid < minerTotal - before) registry_.jail(COORDINATOR, coordinator);
        emit Claimed(coordinator, miner, digest, p.paid, p.fromBond);
        _push(miner, p.paid);
        if (p.fees != 0) _reportOne(miner, p.fees);
    }
}
