// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {DirectJob} from "../src/JobTypes.sol";
import {Pricing} from "../src/lib/Pricing.sol";
import {Signature} from "../src/lib/Signature.sol";
import {TypedData} from "../src/lib/TypedData.sol";
import {VoucherBatch} from "../src/lib/VoucherBatch.sol";
import {Order, Receipt, Session} from "../src/Types.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Gives the libraries calldata.
contract Libraries {
    mapping(uint64 => Session) private sessions;

    function separator(address market) external view returns (bytes32) {
        return TypedData.separator(market);
    }

    function order(bytes32 domain, Order calldata o) external pure returns (bytes32) {
        return TypedData.order(domain, o);
    }

    function receipt(bytes32 domain, Receipt calldata r) external pure returns (bytes32) {
        return TypedData.receipt(domain, r);
    }

    function price(Receipt calldata r) external pure returns (uint256) {
        return Pricing.price(r);
    }

    function voucherSigner(bytes32 domain, bytes calldata voucher) external view returns (address) {
        uint256 offset;
        assembly {
            offset := voucher.offset
        }
        (uint256 id, uint256 through, uint256 cumulative) = VoucherBatch.fields(offset);
        return
            address(
                uint160(VoucherBatch.signer(VoucherBatch.prepare(domain, sessions), offset, id, through, cumulative))
            );
    }

    function recover(bytes32 digest, bytes calldata signature) external view returns (address) {
        return Signature.recover(digest, signature);
    }
}

/// @notice The vectors that Go, TypeScript and Solidity share.
contract VectorsTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    string private constant TYPED = "../receipt/testdata/vectors/typed.json";
    string private constant MERKLE = "../receipt/testdata/vectors/merkle.json";
    string private constant PRICE = "../market/testdata/vectors/price.json";

    Libraries private lib;
    string private json;
    bytes32 private domain;

    function setUp() public {
        lib = new Libraries();
    }

    function test_Prices() public {
        json = vm.readFile(PRICE);
        uint256 n;
        for (; vm.keyExistsJson(json, item(".price", n)); ++n) {
            string memory v = item(".price", n);
            Receipt memory r;
            r.promptTokens = uint64(number(v, ".prompt_tokens"));
            r.promptRate = uint128(number(v, ".prompt_rate"));
            r.completionTokens = uint64(number(v, ".completion_tokens"));
            r.completionRate = uint128(number(v, ".completion_rate"));
            r.computeMillis = uint64(number(v, ".compute_millis"));
            r.secondRate = uint128(number(v, ".second_rate"));
            r.items = uint64(number(v, ".items"));
            r.itemRate = uint128(number(v, ".item_rate"));
            vm.assertEq(lib.price(r), number(v, ".price"), v);
        }
        vm.assertGe(n, 20, "vectors were read");
    }

    function test_Fees() public {
        json = vm.readFile(PRICE);
        uint256 n;
        for (; vm.keyExistsJson(json, item(".fee", n)); ++n) {
            uint256 got = Pricing.fee(
                number(item(".fee", n), ".before"), number(item(".fee", n), ".after"), number(item(".fee", n), ".bps")
            );
            vm.assertEq(got, number(item(".fee", n), ".fee"), item(".fee", n));
        }
        vm.assertGe(n, 10, "vectors were read");
    }

    function test_TypedData() public {
        json = vm.readFile(TYPED);
        vm.chainId(vm.parseJsonUint(json, ".chainId"));
        domain = lib.separator(vm.parseJsonAddress(json, ".verifyingContract"));
        vm.assertEq(domain, vm.parseJsonBytes32(json, ".separator"), "separator");
        address signer = vm.parseJsonAddress(json, ".signer");
        uint256 checked;
        for (uint256 i; vm.keyExistsJson(json, item(".vectors", i)); ++i) {
            string memory v = item(".vectors", i);
            bytes memory signature = vm.parseJsonBytes(json, key(v, ".signature"));
            bytes32 expected = vm.parseJsonBytes32(json, key(v, ".digest"));
            vm.assertEq(lib.recover(expected, signature), signer, "the signature is the vector's");
            vm.assertEq(lib.recover(expected, compact(signature)), signer, "compact too");
            bytes32 kind = keccak256(bytes(vm.parseJsonString(json, key(v, ".type"))));
            string memory m = key(v, ".message");
            if (kind == keccak256("Order")) {
                vm.assertEq(lib.order(domain, order(m)), expected, "order");
            } else if (kind == keccak256("Receipt")) {
                vm.assertEq(lib.receipt(domain, receipt(m)), expected, "receipt");
            } else if (kind == keccak256("Countersignature")) {
                bytes32 got = TypedData.countersignature(
                    domain, hash(m, ".receipt"), account(m, ".miner"), uint128(number(m, ".minerTotal"))
                );
                vm.assertEq(got, expected, "countersignature");
            } else if (kind == keccak256("Close")) {
                bytes32 got = TypedData.close(domain, uint64(number(m, ".session")), uint128(number(m, ".cumulative")));
                vm.assertEq(got, expected, "close");
            } else if (kind == keccak256("Voucher")) {
                bytes memory packed = abi.encodePacked(
                    uint64(number(m, ".session")),
                    uint64(number(m, ".through")),
                    uint128(number(m, ".cumulative")),
                    compact(signature)
                );
                vm.assertEq(lib.voucherSigner(domain, packed), signer, "voucher");
            } else if (kind == keccak256("DirectJob")) {
                vm.assertEq(TypedData.directJob(domain, directJob(m)), expected, "direct job");
            } else {
                continue; // MinerLogin and KeyRequest are never seen by a contract
            }
            ++checked;
        }
        vm.assertEq(checked, 6, "all types that contracts hash");
    }

    function test_ReceiptTrees() public {
        json = vm.readFile(MERKLE);
        uint256 n;
        for (; vm.keyExistsJson(json, item("$", n)); ++n) {
            string memory t = item("$", n);
            bytes32 root = hash(t, ".root");
            for (uint256 i; vm.keyExistsJson(json, item(key(t, ".receipts"), i)); ++i) {
                string memory pair = item(key(t, ".receipts"), i);
                bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(hash(pair, "[0]"), hash(pair, "[1]")))));
                bytes32[] memory proof = list(item(key(t, ".proofs"), i));
                vm.assertTrue(MerkleProof.verify(proof, root, leaf), item(t, i));
                vm.assertTrue(!MerkleProof.verify(proof, root, keccak256(abi.encode(leaf))), "another leaf");
            }
        }
        vm.assertGe(n, 3, "vectors were read");
    }

    function test_RecoverNeverRevertsOnOtherBytes() public view {
        bytes32 what = keccak256("what");
        vm.assertEq(lib.recover(what, ""), address(0), "empty");
        vm.assertEq(lib.recover(what, new bytes(64)), address(0), "zeros");
        vm.assertEq(lib.recover(what, new bytes(65)), address(0), "v of zero");
        vm.assertEq(lib.recover(what, new bytes(66)), address(0), "too long");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(7, what);
        vm.assertEq(lib.recover(what, abi.encodePacked(r, s, v)), vm.addr(7), "as signed");
        // The malleable twin: s' = n - s, with the other parity.
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory twin = abi.encodePacked(r, n - uint256(s), v == 27 ? uint8(28) : uint8(27));
        vm.assertEq(lib.recover(what, twin), address(0), "its twin is refused");
    }

    function order(string memory m) private view returns (Order memory) {
        return Order({
            session: uint64(number(m, ".session")),
            number: uint64(number(m, ".number")),
            model: hash(m, ".model"),
            class: hash(m, ".class"),
            input: hash(m, ".input"),
            miners: hash(m, ".miners"),
            maxPrice: uint128(number(m, ".maxPrice")),
            deadline: uint64(number(m, ".deadline"))
        });
    }

    function directJob(string memory m) private view returns (DirectJob memory d) {
        d.job = uint64(number(m, ".job"));
        d.client = account(m, ".client");
        d.spec = hash(m, ".spec");
        d.model = hash(m, ".model");
        d.class = hash(m, ".class");
        d.sealTo = hash(m, ".sealTo");
        d.miners = hash(m, ".miners");
        d.level = uint8(number(m, ".level"));
        d.fee = uint128(number(m, ".fee"));
        d.acceptBy = uint64(number(m, ".acceptBy"));
        d.deadline = uint64(number(m, ".deadline"));
        d.callbackGas = uint32(number(m, ".callbackGas"));
    }

    function receipt(string memory m) private view returns (Receipt memory r) {
        r.version = uint8(number(m, ".version"));
        r.order = hash(m, ".order");
        r.session = uint64(number(m, ".session"));
        r.client = account(m, ".client");
        r.coordinator = account(m, ".coordinator");
        r.miner = account(m, ".miner");
        r.model = hash(m, ".model");
        r.class = hash(m, ".class");
        r.output = hash(m, ".output");
        r.promptTokens = uint64(number(m, ".promptTokens"));
        r.completionTokens = uint64(number(m, ".completionTokens"));
        r.computeMillis = uint64(number(m, ".computeMillis"));
        r.items = uint64(number(m, ".items"));
        r.promptRate = uint128(number(m, ".promptRate"));
        r.completionRate = uint128(number(m, ".completionRate"));
        r.secondRate = uint128(number(m, ".secondRate"));
        r.itemRate = uint128(number(m, ".itemRate"));
        r.price = uint128(number(m, ".price"));
        r.temperatureMilli = uint32(number(m, ".temperatureMilli"));
        r.topPMilli = uint32(number(m, ".topPMilli"));
        r.topK = uint32(number(m, ".topK"));
        r.seed = uint64(number(m, ".seed"));
        r.startedAt = uint64(number(m, ".startedAt"));
        r.finishedAt = uint64(number(m, ".finishedAt"));
        r.level = uint8(number(m, ".level"));
        r.evidence = hash(m, ".evidence");
    }

    function list(string memory path) private view returns (bytes32[] memory out) {
        uint256 n;
        while (vm.keyExistsJson(json, item(path, n))) ++n;
        out = new bytes32[](n);
        for (uint256 i; i < n; ++i) {
            out[i] = vm.parseJsonBytes32(json, item(path, i));
        }
    }

    function compact(bytes memory signature) private pure returns (bytes memory) {
        bytes32 r;
        bytes32 s;
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        return abi.encodePacked(r, bytes32(uint256(s) | (uint256(uint8(signature[64]) - 27) << 255)));
    }

    function item(string memory path, uint256 i) private pure returns (string memory) {
        return string.concat(path, "[", vm.toString(i), "]");
    }

    function key(string memory path, string memory name) private pure returns (string memory) {
        return string.concat(path, name);
    }

    function number(string memory path, string memory name) private view returns (uint256) {
        return vm.parseJsonUint(json, key(path, name));
    }

    function hash(string memory path, string memory name) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, key(path, name));
    }

    function account(string memory path, string memory name) private view returns (address) {
        return vm.parseJsonAddress(json, key(path, name));
    }
}
