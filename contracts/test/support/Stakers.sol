// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Stands where Staking does, for tests that only ask what stakers are given.
contract Stakers {
    /// @notice How it answers: takes coins, refuses them, or burns all gas.
    enum Mood {
        TAKES,
        REFUSES,
        BURNS
    }

    Mood public mood;

    function set(Mood mood_) external {
        mood = mood_;
    }

    function distribute() external payable {
        if (mood == Mood.REFUSES) revert();
        while (mood == Mood.BURNS) {}
    }
}
