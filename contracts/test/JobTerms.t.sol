// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./support/Code.sol";
import {IMarketEvents} from "../src/interfaces/IMarket.sol";
import {IMarketJobsEvents} from "../src/interfaces/IMarketJobs.sol";
import {JobParams, JobTerms} from "../src/JobTypes.sol";
import {Governed} from "../src/lib/Governed.sol";
import {MarketJobs} from "../src/MarketJobs.sol";
import {MarketParams, Receipt} from "../src/Types.sol";
import {JobFixture} from "./support/JobFixture.sol";

/// @notice What may be ordered and submitted, and what governance may set.
contract JobTermsTest is JobFixture {
    uint256 private constant FEE = 10 ether;

    function test_TermsHaveBounds() public {
        JobTerms memory t = terms();
        t.acceptBy = uint64(time());
        bad(t, "acceptBy");
        t = terms();
        t.deadline = t.acceptBy - 1;
        bad(t, "deadline");
        t.deadline = uint64(time()) + 30 days + 1;
        bad(t, "deadline");
        t = terms();
        t.level = 1;
        bad(t, "level");
        t = terms();
        t.callbackGas = 2_000_001;
        bad(t, "callbackGas");
        t = terms();
        t.spec = 0;
        bad(t, "spec");
        t = terms();
        bad(t, nobody(), "another document", "spec");
        bytes memory long = new bytes(16_385);
        t.spec = keccak256(long);
        bad(t, nobody(), long, "document");
        t = terms();
        address[] memory list = new address[](2);
        bad(t, list, "", "miners"); // zero
        (list[0], list[1]) = (address(2), address(1));
        bad(t, list, "", "miners"); // not ascending
        list[1] = address(2);
        bad(t, list, "", "miners"); // twice
        list = new address[](33);
        for (uint160 i; i < 33; ++i) {
            list[i] = address(i + 1);
        }
        bad(t, list, "", "miners");
        vm.prank(client);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        jobs.createJob{value: 1e15 - 1}(t, nobody(), "");
        vm.prank(client);
        vm.expectRevert(IMarketEvents.BadAmount.selector);
        jobs.createJob(t, nobody(), "");
        vm.assertEq(jobs.jobCount(), 0, "none was ordered");

        // And the greatest that there may be.
        t.deadline = uint64(time()) + 30 days;
        t.callbackGas = 2_000_000;
        long = new bytes(16_384);
        t.spec = keccak256(long);
        address[] memory most = new address[](32);
        for (uint160 i; i < 32; ++i) {
            most[i] = address(i + 1);
        }
        vm.prank(client);
        uint64 id = jobs.createJob{value: 1e15}(t, most, long);
        vm.assertEq(jobs.jobMiners(id).length, 32, "list");
        vm.assertEq(jobs.job(id).bond, 1e16, "the least bond");
    }

    /// @dev Every field of the receipt that must answer the job.
    function test_ReceiptMustAnswerTheJob() public {
        uint64 id = create(FEE);
        accept(id);
        Receipt memory good = proof(id, uint128(FEE));
        for (uint256 i; i < 12; ++i) {
            Receipt memory r = abi.decode(abi.encode(good), (Receipt));
            string memory field;
            if (i == 0) (r.version, field) = (2, "version");
            if (i == 1) (r.order, field) = (jobs.jobKey(create(FEE)), "order");
            if (i == 2) (r.session, field) = (1, "session");
            if (i == 3) (r.client, field) = (miner, "client");
            if (i == 4) (r.coordinator, field) = (coordinator, "coordinator");
            if (i == 5) (r.miner, field) = (client, "miner");
            if (i == 6) (r.model, field) = (keccak256("other"), "model");
            if (i == 7) (r.level, field) = (1, "level");
            if (i == 8) (r.price, field) = (uint128(FEE) + 1, "price");
            if (i == 9) (r.finishedAt, field) = ((uint64(time()) + 60) * 1000 + 1, "finishedAt");
            if (i == 10) (r.startedAt, field) = (r.finishedAt + 1, "finishedAt");
            if (i == 11) field = "delivery";
            (bytes32 a, bytes32 b) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(r));
            vm.prank(miner);
            vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadReceipt.selector, field));
            jobs.submitResult(id, r, a, b, i == 11 ? bytes32(0) : keccak256(OUTPUT));
        }
        (bytes32 x, bytes32 y) = compact(CLIENT_KEY, verifier.receiptDigest(good));
        vm.prank(miner);
        vm.expectRevert(IMarketEvents.BadSignature.selector);
        jobs.submitResult(id, good, x, y, keccak256(OUTPUT));
        submit(id, uint128(FEE));
        vm.assertEq(jobs.job(id).receipt, verifier.receiptDigest(good), "the digest is kept");

        // A job that names a class is answered in that class only.
        JobTerms memory t = terms();
        t.class = keccak256("class");
        id = create(t, FEE);
        accept(id);
        good = proof(id, 0);
        good.class = keccak256("another");
        (x, y) = compact(MINER_SIGNER_KEY, verifier.receiptDigest(good));
        vm.prank(miner);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadReceipt.selector, "class"));
        jobs.submitResult(id, good, x, y, keccak256(OUTPUT));
    }

    /// @dev What governance changes touches no job that is ordered.
    function test_ParametersTouchNoOpenJob() public {
        uint64 id = create(FEE);
        JobParams memory p = jobParams();
        (p.bondBps, p.challengeWindow, p.answerWindow, p.maxDuration) = (10_000, 1, 1, 1);
        vm.prank(governor);
        jobs.setJobParams(p);
        MarketParams memory q = marketParams();
        q.feeBps = 2_000;
        vm.prank(governor);
        market.setParams(q);
        accept(id);
        submit(id, 1 ether);
        vm.assertEq(jobs.job(id).dueAt, time() + 6 hours, "the window it was ordered with");
        challenge(id);
        vm.assertEq(jobs.job(id).dueAt, time() + 2 hours, "both");
        deliver(id, OUTPUT);
        vm.assertEq(market.fees(), fee(1 ether), "and the fee's rate");
        balanced();
    }

    function test_ParametersHaveBounds() public {
        string[8] memory names = [
            "minFee", "minBond", "bondBps", "maxDuration", "challengeWindow", "answerWindow", "jobsPerBlock", "maxLevel"
        ];
        for (uint256 i; i < names.length; ++i) {
            JobParams memory p = jobParams();
            if (i == 0) p.minFee = 0;
            if (i == 1) p.minBond = 0;
            if (i == 2) p.bondBps = 10_001;
            if (i == 3) p.maxDuration = 366 days + 1;
            if (i == 4) p.challengeWindow = 0;
            if (i == 5) p.answerWindow = 30 days + 1;
            if (i == 6) p.jobsPerBlock = 129;
            if (i == 7) p.maxLevel = 7;
            vm.prank(governor);
            vm.expectRevert(abi.encodeWithSelector(IMarketEvents.BadParameter.selector, names[i]));
            jobs.setJobParams(p);
        }
        vm.expectRevert(abi.encodeWithSelector(Governed.Unauthorized.selector, address(this)));
        jobs.setJobParams(jobParams());
        vm.expectRevert();
        MarketJobs(address(market)).initializeJobs(jobParams());
    }

    /// @dev The second half takes no coins by itself: they would be lost there.
    function test_TheOtherHalfAloneTakesNoOrders() public {
        MarketJobs part = MarketJobs(payable(Code.make("MarketJobs.sol:MarketJobs")));
        JobTerms memory t = terms();
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadTerms.selector, "deadline"));
        part.createJob{value: FEE}(t, nobody(), "");
        vm.assertLe(address(part).code.length, 24_576, "and fits a contract");
    }

    function bad(JobTerms memory t, string memory term) private {
        bad(t, nobody(), "", term);
    }

    function bad(JobTerms memory t, address[] memory list, bytes memory document, string memory term) private {
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IMarketJobsEvents.BadTerms.selector, term));
        jobs.createJob{value: FEE}(t, list, document);
    }
}
