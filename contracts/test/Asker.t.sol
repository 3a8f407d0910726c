// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Asker} from "../src/samples/Asker.sol";
import {JobFixture} from "./support/JobFixture.sol";

/// @notice The sample: a contract asks, is answered, and has back what it did not spend.
contract AskerTest is JobFixture {
    bytes private constant QUESTION = "What is six times seven?";
    bytes private constant ANSWER = "42";

    Asker private asker;

    function setUp() public override {
        super.setUp();
        address[] memory list = new address[](1);
        list[0] = miner;
        vm.prank(client);
        asker = new Asker(jobs, list);
    }

    function test_AsksAndIsAnswered() public {
        uint64 id = ask();
        accept(id);
        vm.assertEq(jobs.job(id).spec, keccak256(QUESTION), "the question is public");
        submitAs(miner, id, proof(id, 3 ether), keccak256(ANSWER));
        deliver(id, ANSWER);
        vm.assertEq(keccak256(asker.answers(id)), keccak256(ANSWER), "answered");
        uint256 had = client.balance;
        vm.prank(client);
        asker.take(payable(client));
        vm.assertEq(client.balance, had + 7 ether, "the price was 3 of 10");
        balanced();
    }

    function test_HasItsCoinsBackWithoutAnAnswer() public {
        uint64 id = ask();
        vm.warp(jobs.job(id).dueAt);
        endJobs();
        vm.assertEq(address(asker).balance, 10 ether, "all of it");
        vm.assertEq(market.owed(), 0, "nothing stays");
    }

    function test_BelievesNobodyElse() public {
        uint64 id = ask();
        vm.expectRevert(abi.encodeWithSelector(Asker.Unauthorized.selector, address(this)));
        asker.onJobDelivered(id, ANSWER);
        vm.expectRevert(abi.encodeWithSelector(Asker.Unauthorized.selector, address(this)));
        asker.take(payable(address(this)));
        vm.deal(address(this), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Asker.Unauthorized.selector, address(this)));
        asker.ask{value: 1 ether}(0, QUESTION, 1, 1);
    }

    /// @dev An answer that it does not keep is paid all the same: it was delivered.
    function test_AnswerThatIsTooLong() public {
        uint64 id = ask();
        accept(id);
        bytes memory long = new bytes(513);
        submitAs(miner, id, proof(id, 3 ether), keccak256(long));
        deliver(id, long);
        vm.assertEq(state(id), PAID, "paid");
        vm.assertEq(asker.answers(id).length, 0, "not kept");
    }

    /// @dev The longest answer fits the gas that the sample orders.
    function test_LongestAnswerFits() public {
        uint64 id = ask();
        accept(id);
        bytes memory long = new bytes(512);
        for (uint256 i; i < long.length; ++i) {
            long[i] = 0xff;
        }
        submitAs(miner, id, proof(id, 3 ether), keccak256(long));
        deliver(id, long);
        vm.assertEq(asker.answers(id).length, 512, "kept");
    }

    function ask() private returns (uint64) {
        vm.prank(client);
        return asker.ask{value: 10 ether}(keccak256("model"), QUESTION, 1 hours, 1 hours);
    }
}
