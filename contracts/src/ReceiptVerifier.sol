// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Signature} from "./lib/Signature.sol";
import {TypedData} from "./lib/TypedData.sol";
import {Order, Receipt, Session} from "./Types.sol";

/// @title ReceiptVerifier
/// @notice Lets a contract on the same chain check a receipt: who signed it, and that it was settled.
contract ReceiptVerifier {
    uint8 private constant MINER = 1;

    /// @notice The Market whose receipts are checked.
    IMarket public immutable market;
    /// @notice The Registry that says whose a signing key is.
    IRegistry public immutable registry;

    constructor(IMarket market_) {
        market = market_;
        registry = IRegistry(market_.registry());
    }

    /// @notice Returns the job id of an order.
    function jobId(Order calldata order) external view returns (bytes32) {
        return TypedData.order(_domain(), order);
    }

    /// @notice Returns the id of a job's receipt, which is known before the job runs.
    function receiptId(bytes32 job) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, job));
    }

    /// @notice Returns what a miner signs.
    function receiptDigest(Receipt calldata receipt) public view returns (bytes32) {
        return TypedData.receipt(_domain(), receipt);
    }

    /// @notice Returns a receipt's leaf in the tree of its batch, as in OpenZeppelin's StandardMerkleTree.
    function leaf(Receipt calldata receipt) public view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(receiptId(receipt.order), receiptDigest(receipt)))));
    }

    /// @notice Says whether the receipt's miner signed it, now or with a key it has since replaced.
    function signed(Receipt calldata receipt, bytes32 r, bytes32 vs) public view returns (bool) {
        address signer = Signature.recover(receiptDigest(receipt), r, vs);
        if (signer == address(0)) return false;
        (uint8 role, address account) = registry.signerOwner(signer);
        return role == MINER && account == receipt.miner;
    }

    /// @notice Says whether the receipt is in the tree of a batch that its coordinator settled.
    function settled(Receipt calldata receipt, uint64 batch, bytes32[] calldata proof) public view returns (bool) {
        bytes32 root = market.batchRoot(receipt.coordinator, batch);
        return root != 0 && MerkleProof.verifyCalldata(proof, root, leaf(receipt));
    }

    /// @notice Says whether the session that the receipt names is between the parties that it names.
    function agreed(Receipt calldata receipt) public view returns (bool) {
        Session memory x = market.session(receipt.session);
        return x.state != 0 && x.client == receipt.client && x.coordinator == receipt.coordinator;
    }

    /// @notice Says whether a receipt is signed by its miner, between the parties of its session, and settled.
    function verify(Receipt calldata receipt, bytes32 r, bytes32 vs, uint64 batch, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return receipt.version == 1 && signed(receipt, r, vs) && agreed(receipt) && settled(receipt, batch, proof);
    }

    function _domain() private view returns (bytes32) {
        return TypedData.separator(address(market));
    }
}
