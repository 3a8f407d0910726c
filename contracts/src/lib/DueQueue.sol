// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title DueQueue
/// @notice A queue of ids by the second at which they fall due, taken oldest first at bounded cost.
/// @dev Each second has a bucket of packed 8-byte lanes (lane 0 counts them) and a bit in a bitmap of 256 seconds,
/// so empty seconds are skipped a word at a time. An id is never zero, and is never lost: one that is added for a
/// second already behind the cursor is put at the cursor.
library DueQueue {
    /// @notice The queue. second and index say where to go on; outstanding counts the ids inside.
    struct Queue {
        uint64 second;
        uint64 index;
        uint64 outstanding;
        mapping(uint256 word => uint256 bits) bitmap;
        mapping(uint256 key => uint256 lanes) buckets;
    }

    /// @notice Adds id, due at second.
    function push(Queue storage q, uint64 second, uint64 id) internal {
        if (q.outstanding == 0) {
            // Nothing waits: the cursor may jump over whatever was quiet.
            q.second = uint64(block.timestamp);
            q.index = 0;
        }
        uint64 place = second < q.second ? q.second : second;
        q.outstanding += 1;

        uint256 head = uint256(place) << 64;
        uint256 lanes = q.buckets[head];
        unchecked {
            uint256 length = uint64(lanes) + 1;
            lanes += 1;
            if (length < 4) {
                lanes |= uint256(id) << (64 * length);
            } else {
                q.buckets[head | (length >> 2)] |= uint256(id) << (64 * (length & 3));
            }
        }
        q.buckets[head] = lanes;
        if (uint64(lanes) == 1) q.bitmap[place >> 8] |= 1 << (place & 255);
    }

    /// @notice Takes the oldest id that is due at now_, or returns zero when none is due or the steps are used up.
    /// @param now_ the block's time
    /// @param steps how many empty words of the bitmap may be stepped over
    /// @return id the id taken, or zero
    /// @return left the steps that are left
    function pop(Queue storage q, uint64 now_, uint256 steps) internal returns (uint64 id, uint256 left) {
        if (q.outstanding == 0) return (0, steps);
        uint64 second = q.second;
        uint64 index = q.index;
        unchecked {
            while (second <= now_) {
                uint256 bits = q.bitmap[second >> 8] >> (second & 255);
                if (bits != 0) {
                    uint64 skip = uint64(_lowest(bits));
                    if (skip != 0) (second, index) = (second + skip, 0);
                    break;
                }
                if (steps == 0) break;
                steps -= 1;
                (second, index) = (((second >> 8) + 1) << 8, 0);
            }
            // Never ahead of the clock by more than one second: what is added next must not fall behind the cursor.
            if (second > now_) {
                (q.second, q.index) = (now_ + 1, 0);
                return (0, steps);
            }
            if (q.bitmap[second >> 8] & (1 << (second & 255)) == 0) {
                (q.second, q.index) = (second, 0);
                return (0, steps);
            }
            return (_take(q, second, index), steps);
        }
    }

    /// @dev Takes lane index+1 of a bucket that has one, and wipes what is used up.
    function _take(Queue storage q, uint64 second, uint64 index) private returns (uint64 id) {
        unchecked {
            uint256 head = uint256(second) << 64;
            uint256 length = uint64(q.buckets[head]);
            uint256 lane = uint256(index) + 1;
            uint256 word = lane >> 2;
            id = uint64(q.buckets[head | word] >> (64 * (lane & 3)));
            bool last = lane >= length;
            if (word != 0 && (last || lane & 3 == 3)) delete q.buckets[head | word];
            if (last) {
                delete q.buckets[head];
                q.bitmap[second >> 8] &= ~(1 << (second & 255));
                (q.second, q.index) = (second + 1, 0);
            } else {
                (q.second, q.index) = (second, uint64(lane));
            }
            q.outstanding -= 1;
        }
    }

    /// @dev Returns the place of the lowest set bit of x, which is not zero.
    function _lowest(uint256 x) private pure returns (uint256 n) {
        unchecked {
            x &= ~x + 1;
            if (x & type(uint128).max == 0) (n, x) = (n + 128, x >> 128);
            if (x & type(uint64).max == 0) (n, x) = (n + 64, x >> 64);
            if (x & type(uint32).max == 0) (n, x) = (n + 32, x >> 32);
            if (x & type(uint16).max == 0) (n, x) = (n + 16, x >> 16);
            if (x & type(uint8).max == 0) (n, x) = (n + 8, x >> 8);
            if (x & 0xf == 0) (n, x) = (n + 4, x >> 4);
            if (x & 0x3 == 0) (n, x) = (n + 2, x >> 2);
            if (x & 0x1 == 0) n += 1;
        }
    }
}
