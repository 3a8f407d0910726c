// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DueQueue} from "../src/lib/DueQueue.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice The queue by itself, against the rules a queue must keep.
contract DueQueueTest is Fixture {
    using DueQueue for DueQueue.Queue;

    DueQueue.Queue private q;
    mapping(uint64 id => uint64 due) private dueOf;
    mapping(uint64 id => bool) private taken;

    function setUp() public override {
        vm.warp(START);
    }

    /// forge-config: default.fuzz.runs = 48
    /// @dev Random pushes and pops: every id comes out once, never early, oldest first, and none is left.
    function testFuzz_EveryIdOnceAndInOrder(uint256 seed) public {
        uint64 next = 1;
        uint256 out;
        for (uint256 round; round < 12; ++round) {
            uint256 n = draw(seed, round, 0) % 12;
            for (uint256 i; i < n; ++i) {
                uint256 spread = i % 3 == 0 ? 3 : i % 3 == 1 ? 600 : 40 days;
                uint64 due = uint64(time() + 1 + draw(seed, round, i + 1) % spread);
                dueOf[next] = due;
                q.push(due, next++);
            }
            vm.warp(time() + draw(seed, round, 99) % 2 days);
            out += drain(draw(seed, round, 100) % 9, 512);
        }
        vm.warp(time() + 41 days);
        for (uint256 i; i < 40; ++i) {
            out += drain(1_000, 512);
        }
        vm.assertEq(out, next - 1, "all of them");
        vm.assertEq(q.outstanding, 0, "none is left");
    }

    function drain(uint256 most, uint256 steps) private returns (uint256 n) {
        uint64 last;
        while (n < most) {
            uint64 id;
            (id, steps) = q.pop(uint64(time()), steps);
            if (id == 0) break;
            vm.assertTrue(!taken[id], "once");
            vm.assertLe(dueOf[id], time(), "never early");
            vm.assertGe(dueOf[id], last, "oldest first");
            (taken[id], last) = (true, dueOf[id]);
            ++n;
        }
    }

    function draw(uint256 seed, uint256 round, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, round, i)));
    }

    function test_ManyInOneSecondKeepTheirOrder() public {
        for (uint64 i = 1; i <= 21; ++i) {
            q.push(uint64(START + 5), i);
        }
        vm.warp(START + 5);
        for (uint64 i = 1; i <= 10; ++i) {
            vm.assertEq(pop(), i, "first half");
        }
        // Another of an earlier second that is over is not lost: it goes to the end of the bucket at hand.
        q.push(uint64(START + 2), 22);
        for (uint64 i = 11; i <= 22; ++i) {
            vm.assertEq(pop(), i, "second half");
        }
        vm.assertEq(pop(), 0, "empty");
    }

    function test_WhatIsPushedAfterTheCursorPassedIsFound() public {
        q.push(uint64(START + 1_000), 1);
        vm.warp(START + 300);
        vm.assertEq(pop(), 0, "not yet");
        q.push(uint64(START + 301), 2);
        vm.warp(START + 301);
        vm.assertEq(pop(), 2, "the nearer one");
        vm.warp(START + 1_000);
        vm.assertEq(pop(), 1, "the farther one");
    }

    function test_StepsBoundTheWalk() public {
        q.push(uint64(START + 100 * 256), 1);
        vm.warp(START + 100 * 256);
        (uint64 id, uint256 left) = q.pop(uint64(time()), 40);
        vm.assertEq(id, 0, "not reached");
        vm.assertEq(left, 0, "steps used up");
        (id, left) = q.pop(uint64(time()), 100);
        vm.assertEq(id, 1, "reached from where it stood");
    }

    function test_UsedBucketsAreWiped() public {
        for (uint64 i = 1; i <= 9; ++i) {
            q.push(uint64(START + 7), i);
        }
        vm.warp(START + 7);
        for (uint64 i = 1; i <= 9; ++i) {
            pop();
        }
        uint256 head = uint256(START + 7) << 64;
        for (uint256 word; word < 3; ++word) {
            vm.assertEq(q.buckets[head | word], 0, "lanes");
        }
        vm.assertEq(q.bitmap[(START + 7) >> 8], 0, "bitmap");
    }

    function pop() private returns (uint64 id) {
        (id,) = q.pop(uint64(time()), 100);
    }
}
