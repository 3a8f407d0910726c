// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Signature
/// @notice Recovers the signer of a digest from a compact (EIP-2098) or a 65-byte signature, without ever reverting.
/// @dev s has 255 bits, which leaves the malleable twin of a signature no room. (Of the values between half the curve's
/// order and 2^255 there are so few that none can be found; nothing is keyed by a signature in any case.)
library Signature {
    /// @notice Returns the signer of digest, or zero when (r, vs) is no valid signature.
    /// @param digest the 32 bytes that were signed
    /// @param r the signature's r
    /// @param vs the signature's s with the parity in the highest bit
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        uint256 s = uint256(vs) & (type(uint256).max >> 1);
        // Scratch beyond the free pointer: nothing is allocated, so a batch of hundreds does not grow memory.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, digest)
            mstore(add(m, 0x20), add(shr(255, vs), 27))
            mstore(add(m, 0x40), r)
            mstore(add(m, 0x60), s)
            mstore(0x00, 0)
            pop(staticcall(gas(), 0x01, m, 0x80, 0x00, 0x20))
            // The precompile answers nothing to a bad signature, and leaves the zero in place.
            signer := mload(0x00)
        }
    }

    /// @notice As above, for 64 bytes (r ‖ vs) or 65 bytes (r ‖ s ‖ v, v 27 or 28). Any other length gives zero.
    function recover(bytes32 digest, bytes calldata signature) internal view returns (address) {
        if (signature.length == 64) {
            return recover(digest, bytes32(signature[0:32]), bytes32(signature[32:64]));
        }
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if ((v != 27 && v != 28) || uint256(s) >> 255 != 0) return address(0);
        return recover(digest, bytes32(signature[0:32]), bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }
}
