// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarketJobs} from "../../src/interfaces/IMarketJobs.sol";
import {Job, JobParams, JobTerms} from "../../src/JobTypes.sol";
import {Market} from "../../src/Market.sol";
import {Registry} from "../../src/Registry.sol";
import {ReceiptVerifier} from "../../src/ReceiptVerifier.sol";
import {Treasury} from "../../src/Treasury.sol";
import {Receipt} from "../../src/Types.sol";
import {JobFixture} from "./JobFixture.sol";
import {JobClient, JobMiner} from "./JobReceivers.sol";
import {Forcer} from "./Receivers.sol";

/// @notice Clients and miners of direct jobs who do anything in any order, beside one session, and a memory of what
/// they had that the invariants are checked against.
contract JobHandler is JobFixture {
    address[] public clients;
    address[] public miners;
    mapping(address account => uint256) private keys;
    /// @notice All coins in the world.
    uint256 public coins;
    /// @notice What was swept to the Treasury.
    uint256 public swept;

    constructor(
        Market market_,
        Registry registry_,
        Treasury treasury_,
        ReceiptVerifier verifier_,
        address governor_,
        address by
    ) payable {
        (market, registry, treasury, verifier) = (market_, registry_, treasury_, verifier_);
        (governor, coordinator) = (governor_, by);
        jobs = IMarketJobs(address(market));
        clients.push(address(0xc0ffee01));
        clients.push(address(0xc0ffee02));
        for (uint256 mood; mood < 5; ++mood) {
            JobClient c = new JobClient(address(market));
            c.set(JobClient.Mood(mood), mood % 2 == 1);
            clients.push(address(c));
        }
        miners.push(address(0x313e01));
        miners.push(address(0x313e02));
        JobMiner m = new JobMiner(address(market));
        m.set(true);
        miners.push(address(m));
        for (uint256 i; i < clients.length; ++i) {
            fund(clients[i]);
        }
        for (uint256 i; i < miners.length; ++i) {
            fund(miners[i]);
            keys[miners[i]] = 0x5157000 + i;
            vm.prank(miners[i]);
            registry.register{value: 1_000 ether}(MINER, vm.addr(keys[miners[i]]), keccak256("sealing"), "");
        }
    }

    function create(uint256 who, uint256 amount, uint256 accept_, uint256 work, uint32 gas, bool listed) external {
        JobTerms memory t = terms();
        t.acceptBy = uint64(time() + bound(accept_, 1, 4 days));
        t.deadline = uint64(t.acceptBy + bound(work, 0, 4 days));
        t.callbackGas = gas % 2 == 0 ? 50_000 + gas % 200_000 : 0;
        address[] memory list = new address[](listed ? 1 : 0);
        if (listed) list[0] = miners[gas % miners.length];
        vm.prank(clients[who % clients.length]);
        jobs.createJob{value: bound(amount, 1e15, 100 ether)}(t, list, "");
    }

    /// @dev By a miner that may, mostly.
    function accept(uint256 which, uint256 who, bool whoever) external {
        uint64 id = pick(which, OPEN, OPEN);
        uint256 bond = jobs.job(id).bond;
        address[] memory list = jobs.jobMiners(id);
        vm.prank(list.length == 0 || whoever ? miners[who % miners.length] : list[0]);
        jobs.acceptJob{value: bond}(id);
    }

    function cancel(uint256 which) external {
        uint64 id = pick(which, OPEN, OPEN);
        address by = jobs.job(id).client;
        vm.prank(by);
        jobs.cancelJob(id);
    }

    function submit(uint256 which, uint256 price) external {
        uint64 id = pick(which, ACCEPTED, ACCEPTED);
        Job memory x = jobs.job(id);
        Receipt memory r = proof(id, uint128(bound(price, 0, x.fee)));
        (bytes32 a, bytes32 b) = compact(keys[x.miner], verifier.receiptDigest(r));
        vm.prank(x.miner);
        jobs.submitResult(id, r, a, b, keccak256(OUTPUT));
    }

    function acknowledge(uint256 which) external {
        uint64 id = pick(which, SUBMITTED, CHALLENGED);
        address by = jobs.job(id).client;
        vm.prank(by);
        jobs.acknowledgeJob(id);
    }

    function challenge(uint256 which) external {
        uint64 id = pick(which, SUBMITTED, SUBMITTED);
        Job memory x = jobs.job(id);
        vm.prank(x.client);
        jobs.challengeJob{value: x.bond}(id);
    }

    function deliver(uint256 which, bool answer, uint8 wrong) external {
        uint64 id = pick(which, answer ? CHALLENGED : SUBMITTED, CHALLENGED);
        address by = jobs.job(id).miner;
        vm.prank(by);
        jobs.deliverJob(id, wrong == 0 ? bytes("another") : OUTPUT);
    }

    /// @dev Takes a job, if any can go on, a step further on one of its ways: so that long lives are common.
    function advance(uint256 which, uint256 way) external {
        uint64 id = pick(which, OPEN, CHALLENGED);
        Job memory x = jobs.job(id);
        if (x.state == OPEN) return this.accept(id - 1, way, false);
        if (x.state == ACCEPTED) return this.submit(id - 1, way);
        if (x.state == CHALLENGED) return way % 4 == 0 ? this.acknowledge(id - 1) : this.deliver(id - 1, true, 1);
        if (x.callbackGas != 0) return this.deliver(id - 1, false, 1);
        way % 3 == 0 ? this.acknowledge(id - 1) : this.challenge(id - 1);
    }

    /// @dev Somebody is quicker than the node: ends the job that is due first, as soon as it is.
    function expire() external {
        uint64 first;
        for (uint64 id = 1; id <= jobs.jobCount(); ++id) {
            Job memory x = jobs.job(id);
            if (x.state < PAID && (first == 0 || x.dueAt < jobs.job(first).dueAt)) first = id;
        }
        if (first == 0) return;
        uint256 due = jobs.job(first).dueAt;
        if (due > time()) vm.warp(due); // the clock never goes back
        jobs.expireJob(first);
    }

    /// @dev Sessions share the Market's sum.
    function openSession(uint256 who, uint256 amount, uint256 duration) external {
        vm.prank(clients[who % clients.length]);
        market.openSession{value: bound(amount, 1e15, 10 ether)}(
            coordinator, spender, uint64(time() + bound(duration, 1, 2 days))
        );
    }

    function withdraw(uint256 who, bool miner_) external {
        address by = miner_ ? miners[who % miners.length] : clients[who % clients.length];
        vm.prank(by);
        market.withdraw(payable(address(0x9a5e)));
    }

    function changeParams(uint16 bondBps, uint32 window, uint16 perBlock) external {
        JobParams memory p = jobParams();
        p.bondBps = bondBps % 10_001;
        p.challengeWindow = uint32(bound(window, 1, 4 days));
        p.answerWindow = uint32(bound(window / 2, 1, 2 days));
        p.jobsPerBlock = uint16(bound(perBlock, 1, 128));
        vm.prank(governor);
        jobs.setJobParams(p);
    }

    function forceEther(uint256 amount) external {
        amount = bound(amount, 1, 1 ether);
        vm.deal(address(this), address(this).balance + amount);
        coins += amount;
        new Forcer{value: amount}(payable(address(market)));
    }

    function collect(bool sweep) external {
        if (!sweep) return market.collectFees();
        uint256 before = address(treasury).balance;
        market.sweep();
        swept += address(treasury).balance - before;
    }

    function nextBlock(uint256 step) external {
        vm.warp(time() + bound(step, 0, 2));
        end();
    }

    function wait(uint256 step) external {
        vm.warp(time() + bound(step, 1, 4 hours));
        end();
    }

    function end() public {
        endBlock();
        endJobs();
    }

    function count() external view returns (uint256, uint256) {
        return (clients.length, miners.length);
    }

    /// @notice The coins of everybody outside the contracts.
    function purses() external view returns (uint256 sum) {
        sum = address(this).balance + address(0x9a5e).balance;
        for (uint256 i; i < clients.length; ++i) {
            sum += clients[i].balance;
        }
        for (uint256 i; i < miners.length; ++i) {
            sum += miners[i].balance;
        }
    }

    /// @notice What nobody fetched yet.
    function kept() external view returns (uint256 sum) {
        for (uint256 i; i < clients.length; ++i) {
            sum += market.withdrawable(clients[i]);
        }
        for (uint256 i; i < miners.length; ++i) {
            sum += market.withdrawable(miners[i]);
        }
    }

    function fund(address who) private {
        vm.deal(who, 100_000 ether);
        coins += 100_000 ether;
    }

    /// @dev A job in a state from low to high and in time, from a random one on; without any, any job, which refuses.
    function pick(uint256 which, uint8 low, uint8 high) private view returns (uint64) {
        uint64 n = jobs.jobCount();
        if (n == 0) return 0;
        for (uint64 i; i < n; ++i) {
            uint64 id = 1 + uint64((which % n + i) % n);
            Job memory x = jobs.job(id);
            if (x.state >= low && x.state <= high && time() < x.dueAt) return id;
        }
        return 1 + uint64(which % n);
    }
}
