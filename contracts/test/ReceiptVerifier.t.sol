// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Receipt, SingleOrder} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice A contract that checks receipts.
contract ReceiptVerifierTest is Fixture {
    function test_ASettledReceiptVerifies() public {
        uint64 id = open(1 ether);
        Receipt memory a = answer(order(id, 1, 0.1 ether), 0.1 ether);
        Receipt memory b = answer(order(id, 2, 0.2 ether), 0.2 ether);
        (bytes32 la, bytes32 lb) = (verifier.leaf(a), verifier.leaf(b));
        bytes32 root = la < lb ? keccak256(abi.encode(la, lb)) : keccak256(abi.encode(lb, la));
        vm.prank(coordinator);
        market.settle(coordinator, "", new SingleOrder[](0), "", root, 2);

        bytes32[] memory proof = new bytes32[](1);
        proof[0] = lb;
        (bytes32 r, bytes32 vs) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(a));
        vm.assertTrue(verifier.verify(a, r, vs, 1, proof), "verifies");
        vm.assertTrue(!verifier.verify(a, r, vs, 2, proof), "another batch");
        vm.assertTrue(!verifier.verify(b, r, vs, 1, proof), "another receipt");
        proof[0] = la;
        vm.assertTrue(!verifier.verify(a, r, vs, 1, proof), "another path");
        proof[0] = lb;
        (r, vs) = compact(COORDINATOR_SIGNER_KEY, verifier.receiptDigest(a));
        vm.assertTrue(!verifier.verify(a, r, vs, 1, proof), "another's signature");
        vm.assertTrue(!verifier.verify(a, 0, 0, 1, proof), "no signature");
        vm.assertEq(verifier.receiptId(a.order), keccak256(abi.encode(block.chainid, a.order)), "receipt id");
    }

    /// @dev An account that is no coordinator settles a root of its own, with a receipt by a miner of its own.
    function test_AReceiptOfAnInventedSessionDoesNotVerify() public {
        uint64 id = open(1 ether);
        Receipt memory a = answer(order(id, 1, 0.1 ether), 0.1 ether);
        a.coordinator = address(0xfa4e);
        bytes32 root = verifier.leaf(a);
        vm.prank(address(0xfa4e));
        market.settle(address(0xfa4e), "", new SingleOrder[](0), "", root, 1);
        (bytes32 r, bytes32 vs) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(a));
        vm.assertTrue(verifier.signed(a, r, vs), "signed");
        vm.assertTrue(verifier.settled(a, 1, new bytes32[](0)), "and in a root");
        vm.assertTrue(!verifier.verify(a, r, vs, 1, new bytes32[](0)), "but the session is another coordinator's");
    }

    function test_AReplacedKeyStillVerifies() public {
        uint64 id = open(1 ether);
        Receipt memory a = answer(order(id, 1, 0.1 ether), 0.1 ether);
        (bytes32 r, bytes32 vs) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(a));
        vm.prank(miner);
        registry.replaceSigner(1, address(0xaa), 0);
        vm.warp(START + 365 days);
        vm.assertTrue(!registry.signerValid(1, miner, minerSigner), "no longer honoured");
        vm.assertTrue(verifier.signed(a, r, vs), "but whose it was stays known");
    }
}
