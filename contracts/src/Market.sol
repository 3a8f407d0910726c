// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {JobParams} from "./JobTypes.sol";
import {TypedData} from "./lib/TypedData.sol";
import {MarketClaims} from "./market/MarketClaims.sol";
import {MarketJobs} from "./MarketJobs.sol";
import {MarketParams} from "./Types.sol";

/// @title Market
/// @notice The predeploy that holds clients' deposits and fees until signed receipts earn them.
/// @dev Layers, each on the one before: MarketStorage, MarketLedger, MarketAccounts, MarketSessions, MarketCredits,
/// MarketVouchers, MarketSettlement, MarketClaims. This contract adds parameters and the domain. Direct jobs, IMarketJobs,
/// are in MarketJobs, which this contract makes when it is made, and is upgraded with it.
contract Market is MarketClaims {
    uint16 private constant MAX_FEE_BPS = 2_000;
    uint64 private constant MAX_DURATION = 366 days;
    uint64 private constant MAX_DELAY = 7 days;
    uint16 private constant MAX_REFUNDS = 256;

    address private immutable JOBS_PART = address(new MarketJobs());

    constructor() {
        _disableInitializers();
    }

    /// @notice Runs what this half does not have in the other one, on the same storage.
    fallback() external payable {
        address part = JOBS_PART;
        assembly ("memory-safe") {
            let m := mload(0x40)
            calldatacopy(m, 0, calldatasize())
            let ok := delegatecall(gas(), part, m, calldatasize(), 0, 0)
            returndatacopy(m, 0, returndatasize())
            switch ok
            case 0 { revert(m, returndatasize()) }
            default { return(m, returndatasize()) }
        }
    }

    /// @notice Takes coins that the Registry draws from a bond, and no others.
    receive() external payable {
        if (msg.sender != _state().registry) revert Unauthorized(msg.sender);
    }

    /// @notice Sets the contract up, once. The Registry comes first. Without Rewards (zero) no work is reported to them,
    /// and all fees go to the Treasury.
    function initialize(
        address governor_,
        address registry_,
        address treasury_,
        address rewards_,
        MarketParams calldata params_,
        JobParams calldata jobs_
    ) external initializer {
        if (registry_ == address(0) || treasury_ == address(0)) revert ZeroAddress();
        _initGovernor(governor_);
        MarketState storage s = _state();
        (s.registry, s.treasury, s.rewards) = (registry_, treasury_, rewards_);
        _setParams(params_);
        Address.functionDelegateCall(JOBS_PART, abi.encodeCall(MarketJobs.initializeJobs, (jobs_)));
    }

    /// @inheritdoc IMarket
    function setParams(MarketParams calldata params_) external onlyGovernor {
        _setParams(params_);
    }

    /// @inheritdoc IMarket
    function params() external view returns (MarketParams memory) {
        return _state().params;
    }

    /// @inheritdoc IMarket
    function registry() external view returns (address) {
        return _state().registry;
    }

    /// @inheritdoc IMarket
    function treasury() external view returns (address) {
        return _state().treasury;
    }

    /// @inheritdoc IMarket
    function rewards() external view returns (address) {
        return _state().rewards;
    }

    /// @inheritdoc IMarket
    function domainSeparator() external view returns (bytes32) {
        return TypedData.separator(address(this));
    }

    /// @inheritdoc IMarket
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"0f", TypedData.NAME, TypedData.VERSION, block.chainid, address(this), 0, new uint256[](0));
    }

    /// @dev No bound touches what exists: sessions keep their fee and dueAt, lowerings and unbondings their time.
    function _setParams(MarketParams calldata p) private {
        if (p.feeBps > MAX_FEE_BPS) revert BadParameter("feeBps");
        if (p.minDeposit == 0) revert BadParameter("minDeposit");
        if (p.maxOrderDuration == 0 || p.maxOrderDuration > MAX_DELAY) revert BadParameter("maxOrderDuration");
        if (p.margin > MAX_DELAY) revert BadParameter("margin");
        if (p.claimDelay == 0 || p.claimDelay > MAX_DELAY) revert BadParameter("claimDelay");
        if (p.maxSessionDuration > MAX_DURATION) revert BadParameter("maxSessionDuration");
        if (p.closeWindow < p.maxOrderDuration + p.margin || p.closeWindow > p.maxSessionDuration) {
            revert BadParameter("closeWindow");
        }
        if (p.refundsPerBlock == 0 || p.refundsPerBlock > MAX_REFUNDS) revert BadParameter("refundsPerBlock");
        MarketState storage s = _state();
        s.params = p;
        // Bond must stay at least as long as old keys and limits are honoured.
        if (IRegistry(s.registry).params().unbondDelay < holdDelay()) revert BadParameter("unbondDelay");
        emit ParamsSet(p);
    }
}
