// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Market} from "../../src/Market.sol";
import {ReceiptVerifier} from "../../src/ReceiptVerifier.sol";
import {Registry} from "../../src/Registry.sol";
import {Rewards} from "../../src/Rewards.sol";
import {JobParams} from "../../src/JobTypes.sol";
import {RewardsParams} from "../../src/StakingTypes.sol";
import {Treasury} from "../../src/Treasury.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {MarketParams, Order, Receipt, RegistryParams, SingleOrder} from "../../src/Types.sol";
import {Stakers} from "./Stakers.sol";
import {Vm} from "./Vm.sol";

/// @notice The predeploys with their default parameters, one coordinator, one miner and one client, and builders of
/// everything that is signed.
abstract contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address internal constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    uint256 internal constant COIN = 1e18;
    uint256 internal constant START = 1_800_000_000;
    uint8 internal constant MINER = 1;
    uint8 internal constant COORDINATOR = 2;

    uint256 internal constant CLIENT_KEY = 0xc11e;
    uint256 internal constant SPENDER_KEY = 0x5be1;
    uint256 internal constant COORDINATOR_KEY = 0xc00d;
    uint256 internal constant COORDINATOR_SIGNER_KEY = 0xc00e;
    uint256 internal constant MINER_KEY = 0x313e;
    uint256 internal constant MINER_SIGNER_KEY = 0x313f;

    event log_named_uint(string name, uint256 value);

    Registry internal registry;
    Market internal market;
    Treasury internal treasury;
    Rewards internal rewards;
    Stakers internal stakers;
    ReceiptVerifier internal verifier;
    address internal governor = address(0x6000000000000000000000000000000000000006);
    address internal client = vm.addr(CLIENT_KEY);
    address internal spender = vm.addr(SPENDER_KEY);
    address internal coordinator = vm.addr(COORDINATOR_KEY);
    address internal coordinatorSigner = vm.addr(COORDINATOR_SIGNER_KEY);
    address internal miner = vm.addr(MINER_KEY);
    address internal minerSigner = vm.addr(MINER_SIGNER_KEY);

    function setUp() public virtual {
        vm.warp(START);
        deploy();
        enrol(COORDINATOR, coordinator, coordinatorSigner, 10_000 * COIN);
        enrol(MINER, miner, minerSigner, 1_000 * COIN);
        vm.deal(client, 1_000_000 * COIN);
    }

    function marketParams() internal pure returns (MarketParams memory) {
        return MarketParams({
            feeBps: 250,
            minDeposit: 1e15,
            maxSessionDuration: 30 days,
            closeWindow: 1 hours,
            maxOrderDuration: 45 minutes,
            margin: 60,
            claimDelay: 10 minutes,
            refundsPerBlock: 64
        });
    }

    function jobParams() internal pure returns (JobParams memory) {
        return JobParams({
            minFee: 1e15,
            minBond: 1e16,
            bondBps: 2_000,
            maxDuration: 30 days,
            challengeWindow: 6 hours,
            answerWindow: 2 hours,
            jobsPerBlock: 32,
            maxLevel: 0
        });
    }

    function registryParams() internal pure returns (RegistryParams memory) {
        return RegistryParams({
            minMinerStake: uint128(1_000 * COIN),
            minCoordinatorBond: uint128(10_000 * COIN),
            unbondDelay: 48 hours,
            jailPeriod: 24 hours
        });
    }

    function rewardsParams() internal pure returns (RewardsParams memory) {
        return RewardsParams({
            stakersPerSecond: 1e17, minersPerSecond: 2e17, epoch: 1 hours, minerFeeBps: 5_000, stakerFeeBps: 3_000
        });
    }

    /// @dev In the order of genesis. The proxies' addresses are known before, as they are there. Staking is a purse.
    function deploy() internal {
        Registry registryCode = Registry(payable(Code.make("Registry.sol:Registry")));
        Market marketCode = Market(payable(Code.make("Market.sol:Market")));
        Treasury treasuryCode = Treasury(payable(Code.make("Treasury.sol:Treasury")));
        Rewards rewardsCode = Rewards(payable(Code.make("Rewards.sol:Rewards")));
        stakers = Stakers(payable(Code.make("Stakers.sol:Stakers")));
        uint256 nonce = vm.getNonce(address(this));
        address marketAt = vm.computeCreateAddress(address(this), nonce + 1);
        address treasuryAt = vm.computeCreateAddress(address(this), nonce + 2);
        address rewardsAt = vm.computeCreateAddress(address(this), nonce + 3);
        registry = Registry(
            address(
                new ERC1967Proxy(
                    address(registryCode), abi.encodeCall(Registry.initialize, (governor, marketAt, registryParams()))
                )
            )
        );
        market = Market(
            payable(new ERC1967Proxy(
                    address(marketCode),
                    abi.encodeCall(
                        Market.initialize,
                        (governor, address(registry), treasuryAt, rewardsAt, marketParams(), jobParams())
                    )
                ))
        );
        treasury =
            Treasury(payable(new ERC1967Proxy(address(treasuryCode), abi.encodeCall(Treasury.initialize, (governor)))));
        rewards = Rewards(
            address(
                new ERC1967Proxy(
                    address(rewardsCode),
                    abi.encodeCall(
                        Rewards.initialize, (governor, marketAt, address(stakers), treasuryAt, rewardsParams())
                    )
                )
            )
        );
        verifier = ReceiptVerifier(
            payable(Code.make("ReceiptVerifier.sol:ReceiptVerifier", abi.encode(IMarket(address(market)))))
        );
    }

    function enrol(uint8 role, address account, address signer, uint256 stake) internal {
        vm.deal(account, account.balance + stake);
        vm.prank(account);
        registry.register{value: stake}(role, signer, keccak256("sealing"), "https://example.org");
    }

    function open(uint256 deposit) internal returns (uint64) {
        return open(client, deposit, uint64(time()) + 1 days);
    }

    function open(address who, uint256 deposit, uint64 expiry) internal returns (uint64) {
        vm.prank(who);
        return market.openSession{value: deposit}(coordinator, spender, expiry);
    }

    function compact(uint256 key, bytes32 what) internal pure returns (bytes32 r, bytes32 vs) {
        uint8 v;
        bytes32 s;
        (v, r, s) = vm.sign(key, what);
        vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
    }

    /// @dev Written out here rather than taken from the library that it is to test.
    function digest(bytes32 structHash) internal view virtual returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", market.domainSeparator(), structHash));
    }

    function voucher(uint64 session, uint64 through, uint128 cumulative) internal view returns (bytes memory) {
        return voucher(SPENDER_KEY, session, through, cumulative);
    }

    function voucher(uint256 key, uint64 session, uint64 through, uint128 cumulative)
        internal
        view
        returns (bytes memory)
    {
        (bytes32 r, bytes32 vs) = compact(
            key,
            digest(
                keccak256(
                    abi.encode(
                        keccak256("Voucher(uint64 session,uint64 through,uint128 cumulative)"),
                        session,
                        through,
                        cumulative
                    )
                )
            )
        );
        return abi.encodePacked(session, through, cumulative, r, vs);
    }

    function closing(uint256 key, uint64 session, uint128 cumulative) internal view returns (bytes memory) {
        (bytes32 r, bytes32 vs) = compact(
            key,
            digest(keccak256(abi.encode(keccak256("Close(uint64 session,uint128 cumulative)"), session, cumulative)))
        );
        return abi.encodePacked(r, vs);
    }

    function credit(address who, uint128 total) internal pure returns (bytes memory) {
        return abi.encodePacked(who, total);
    }

    function countersign(uint256 key, Receipt memory r, uint128 total) internal view returns (bytes32, bytes32) {
        return compact(
            key,
            digest(
                keccak256(
                    abi.encode(
                        keccak256("Countersignature(bytes32 receipt,address miner,uint128 minerTotal)"),
                        verifier.receiptDigest(r),
                        r.miner,
                        total
                    )
                )
            )
        );
    }

    function order(uint64 session, uint64 number, uint128 maxPrice) internal view returns (Order memory) {
        return Order({
            session: session,
            number: number,
            model: keccak256("model"),
            class: 0,
            input: keccak256("input"),
            miners: 0,
            maxPrice: maxPrice,
            deadline: uint64(time()) + 30 minutes
        });
    }

    /// @dev A receipt that answers the order, with one completion token per unit of price.
    function answer(Order memory o, uint128 price) internal view returns (Receipt memory r) {
        r.version = 1;
        r.order = verifier.jobId(o);
        r.session = o.session;
        r.client = market.session(o.session).client;
        r.coordinator = coordinator;
        r.miner = miner;
        r.model = o.model;
        r.class = o.class;
        r.output = keccak256("output");
        r.completionTokens = 1_000_000;
        r.completionRate = price;
        r.price = price;
        r.startedAt = uint64(time()) * 1000;
        r.finishedAt = uint64(time()) * 1000 + 500;
    }

    function sealOrder(Order memory o, Receipt memory r, uint128 total) internal view returns (SingleOrder memory e) {
        e.order = o;
        (e.orderR, e.orderVS) = compact(SPENDER_KEY, verifier.jobId(o));
        e.receipt = r;
        (e.receiptR, e.receiptVS) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
        e.minerTotal = total;
        (e.counterR, e.counterVS) = countersign(COORDINATOR_SIGNER_KEY, r, total);
    }

    function single(uint64 session, uint64 number, uint128 price) internal view returns (SingleOrder memory) {
        Order memory o = order(session, number, price);
        return sealOrder(o, answer(o, price), price);
    }

    function settleVouchers(bytes memory vouchers) internal {
        settle(vouchers, new SingleOrder[](0), "");
    }

    function settleOrder(SingleOrder memory e) internal {
        SingleOrder[] memory list = new SingleOrder[](1);
        list[0] = e;
        settle("", list, "");
    }

    function settleCredits(bytes memory credits) internal {
        settle("", new SingleOrder[](0), credits);
    }

    function settle(bytes memory vouchers, SingleOrder[] memory orders, bytes memory credits) internal {
        vm.prank(coordinator);
        market.settle(coordinator, vouchers, orders, credits, 0, 0);
    }

    /// @dev What the skipped entry of the recorded logs says; zeros when none was skipped.
    function skipped() internal returns (uint8 kind, uint32 index, uint8 reason) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == keccak256("EntrySkipped(address,uint8,uint32,uint8)")) {
                (kind, index, reason) = abi.decode(logs[i].data, (uint8, uint32, uint8));
            }
        }
    }

    function endBlock() internal {
        vm.prank(SYSTEM);
        market.endBlock();
    }

    function fee(uint256 amount) internal pure returns (uint128) {
        return uint128(amount * 250 / 10_000);
    }

    /// @dev The time, asked anew: the compiler takes block.timestamp for a constant within a function, warp or not.
    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    /// @dev Folds x into [low, high].
    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        if (x >= low && x <= high) return x;
        return low + x % (high - low + 1);
    }
}
