// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Mode} from "../StakingTypes.sol";
import {StakingAccounts} from "./StakingAccounts.sol";

/// @title StakingCandidates
/// @notice The bounded list of those of whom the set is made.
/// @dev Whoever is not on the list, because it was full or because it became eligible again, tries to enter with each
/// delegation to it. Whoever is on it without being eligible goes when the next set is computed.
abstract contract StakingCandidates is StakingAccounts {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev Says whether a validator may be elected.
    function _eligible(address operator, ValidatorState storage v) internal view returns (bool) {
        StakingState storage s = _state();
        return !v.jailed && v.tokens != 0 && (s.mode == Mode.POS || s.authority[operator])
            && _selfStake(operator, v) >= s.params.minSelfStake;
    }

    function _selfStake(address operator, ValidatorState storage v) internal view returns (uint256) {
        return _worth(v, _state().stakes[operator][operator].shares.latest());
    }

    /// @dev Puts an eligible validator on the list, in place of the one with least stake if it is full. Reports false
    /// if all others have as much.
    function _enter(address operator, ValidatorState storage v) internal returns (bool) {
        if (v.place != 0 || !_eligible(operator, v)) return true;
        StakingState storage s = _state();
        uint256 length = s.candidates.length;
        if (length < MAX_CANDIDATES) {
            s.candidates.push(operator);
            v.place = uint8(length + 1);
            return true;
        }
        uint128 least = v.tokens;
        uint256 place;
        for (uint256 i; i < length; ++i) {
            uint128 tokens = s.validators[s.candidates[i]].tokens;
            if (tokens < least) (least, place) = (tokens, i + 1);
        }
        if (place == 0) return false;
        s.validators[s.candidates[place - 1]].place = 0;
        s.candidates[place - 1] = operator;
        v.place = uint8(place);
        return true;
    }

    /// @dev Takes a validator off the list; the last one takes its place.
    function _leave(ValidatorState storage v) internal {
        uint256 place = v.place;
        if (place == 0) return;
        StakingState storage s = _state();
        address last = s.candidates[s.candidates.length - 1];
        s.candidates[place - 1] = last;
        s.validators[last].place = uint8(place);
        s.candidates.pop();
        v.place = 0;
    }
}
