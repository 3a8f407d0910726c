// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DirectJob} from "../JobTypes.sol";
import {Order, Receipt} from "../Types.sol";

/// @title TypedData
/// @notice The EIP-712 types of the protocol and their digests in the domain {AITBC, 1, chain id, Market}.
library TypedData {
    /// @notice The domain's name.
    string internal constant NAME = "AITBC";
    /// @notice The domain's version.
    string internal constant VERSION = "1";

    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ORDER = keccak256(
        "Order(uint64 session,uint64 number,bytes32 model,bytes32 class,bytes32 input,bytes32 miners,uint128 maxPrice,uint64 deadline)"
    );
    bytes32 private constant RECEIPT = keccak256(
        "Receipt(uint8 version,bytes32 order,uint64 session,address client,address coordinator,address miner,bytes32 model,bytes32 class,bytes32 output,uint64 promptTokens,uint64 completionTokens,uint64 computeMillis,uint64 items,uint128 promptRate,uint128 completionRate,uint128 secondRate,uint128 itemRate,uint128 price,uint32 temperatureMilli,uint32 topPMilli,uint32 topK,uint64 seed,uint64 startedAt,uint64 finishedAt,uint8 level,bytes32 evidence)"
    );
    bytes32 private constant COUNTERSIGNATURE =
        keccak256("Countersignature(bytes32 receipt,address miner,uint128 minerTotal)");
    /// @notice The type hash of a Voucher, which VoucherBatch hashes.
    bytes32 internal constant VOUCHER = keccak256("Voucher(uint64 session,uint64 through,uint128 cumulative)");
    bytes32 private constant DIRECT_JOB = keccak256(
        "DirectJob(uint64 job,address client,bytes32 spec,bytes32 model,bytes32 class,bytes32 sealTo,bytes32 miners,uint8 level,uint128 fee,uint64 acceptBy,uint64 deadline,uint32 callbackGas)"
    );
    bytes32 private constant CLOSE = keccak256("Close(uint64 session,uint128 cumulative)");

    /// @notice Returns the domain separator for a Market on this chain.
    function separator(address market) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, keccak256(bytes(NAME)), keccak256(bytes(VERSION)), block.chainid, market));
    }

    /// @notice Returns the digest of an Order, which is the job's id.
    function order(bytes32 domain, Order calldata o) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := o
        }
        return _hash(domain, ORDER, place, 0x100);
    }

    /// @notice Returns the digest of a Receipt.
    function receipt(bytes32 domain, Receipt calldata r) internal pure returns (bytes32) {
        uint256 place;
        assembly ("memory-safe") {
            place := r
        }
        return _hash(domain, RECEIPT, place, 0x340);
    }

    /// @notice Returns the digest of a coordinator's Countersignature.
    function countersignature(bytes32 domain, bytes32 receiptDigest, address miner, uint128 minerTotal)
        internal
        pure
        returns (bytes32)
    {
        return _digest(domain, keccak256(abi.encode(COUNTERSIGNATURE, receiptDigest, miner, minerTotal)));
    }

    /// @notice Returns the digest of a coordinator's Close.
    function close(bytes32 domain, uint64 session, uint128 cumulative) internal pure returns (bytes32) {
        return _digest(domain, keccak256(abi.encode(CLOSE, session, cumulative)));
    }

    /// @notice Returns the digest of a DirectJob, which is what receipts name it by.
    function directJob(bytes32 domain, DirectJob memory d) internal pure returns (bytes32) {
        return _digest(domain, keccak256(abi.encode(DIRECT_JOB, d)));
    }

    /// @dev Hashes a struct of static fields as it lies in the calldata, which is its encoding. A word with excess bits
    /// makes a digest that nobody signs, and reverts where its field is read.
    function _hash(bytes32 domain, bytes32 kind, uint256 place, uint256 length) private pure returns (bytes32) {
        bytes32 hash;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, kind)
            calldatacopy(add(m, 0x20), place, length)
            hash := keccak256(m, add(length, 0x20))
        }
        return _digest(domain, hash);
    }

    function _digest(bytes32 domain, bytes32 hash) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, hex"1901")
            mstore(add(m, 0x02), domain)
            mstore(add(m, 0x22), hash)
            digest := keccak256(m, 0x42)
        }
    }
}
