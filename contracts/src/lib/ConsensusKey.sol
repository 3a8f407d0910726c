// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Signature} from "./Signature.sol";
import {TypedData} from "./TypedData.sol";

/// @title ConsensusKey
/// @notice The secp256k1 keys of validators, and the proof that an operator holds one.
library ConsensusKey {
    uint256 private constant P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f;
    bytes32 private constant PROOF = keccak256("ValidatorKey(address operator,bytes32 x,bytes32 y)");

    /// @notice Returns the address of the key, or zero if it is no point of the curve.
    function addressOf(bytes32 x, bytes32 y) internal pure returns (address) {
        (uint256 a, uint256 b) = (uint256(x), uint256(y));
        if (a >= P || b >= P || mulmod(b, b, P) != addmod(mulmod(mulmod(a, a, P), a, P), 7, P)) return address(0);
        return address(uint160(uint256(keccak256(abi.encode(x, y)))));
    }

    /// @notice Returns what the key signs: EIP-712's ValidatorKey in the domain {AITBC, 1, chain id, this contract}.
    function digest(address operator, bytes32 x, bytes32 y) internal view returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                hex"1901", TypedData.separator(address(this)), keccak256(abi.encode(PROOF, operator, x, y))
            )
        );
    }

    /// @notice Says whether the key with this address signed the operator's proof.
    function proves(address consensus, address operator, bytes32 x, bytes32 y, bytes calldata proof)
        internal
        view
        returns (bool)
    {
        return consensus != address(0) && Signature.recover(digest(operator, x, y), proof) == consensus;
    }
}
