// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Participant, RegistryParams} from "../Types.sol";

/// @title IRegistry
/// @notice Miners (role 1) and coordinators (role 2): their stake, keys and standing.
interface IRegistry {
    /// @notice The role is neither 1 nor 2.
    error UnknownRole(uint8 role);
    /// @notice The caller may hold each role only once.
    error AlreadyRegistered();
    /// @notice The account does not hold the role.
    error NotRegistered();
    /// @notice The stake would be below the least one.
    error StakeTooLow(uint128 stake, uint128 least);
    /// @notice Bond that stands behind miners' limits cannot be taken out or reserved twice.
    error StakeReserved(uint128 stake, uint128 reserved);
    /// @notice An amount is zero, or more than there is.
    error BadAmount();
    /// @notice A signing key is zero, or was bound before.
    error SignerTaken(address signer);
    /// @notice Whoever returns keeps the signing key; replaceSigner changes it.
    error SignerChanged(address signer);
    /// @notice The key replaced last is still honoured; another may be replaced after that.
    error SignerHeld(uint64 until);
    /// @notice Nothing is unbonding, or it is too early.
    error NotDue(uint64 dueAt);
    /// @notice The participant is not jailed, or not yet free to leave.
    error CannotUnjail(uint64 until);
    /// @notice The endpoint is longer than 256 bytes.
    error EndpointTooLong();
    /// @notice A parameter is out of its bounds.
    error BadParameter(string name);
    /// @notice The receiver refused the coins.
    error TransferFailed(address to);

    /// @notice An account took a role.
    event Registered(
        uint8 indexed role,
        address indexed account,
        address signer,
        bytes32 sealingKeyHash,
        uint128 stake,
        string endpoint
    );
    /// @notice Stake was added.
    event StakeIncreased(uint8 indexed role, address indexed account, uint128 amount, uint128 stake);
    /// @notice Stake began to unbond.
    event UnbondRequested(uint8 indexed role, address indexed account, uint128 amount, uint64 unbondAt);
    /// @notice Unbonded stake was paid out.
    event Unbonded(uint8 indexed role, address indexed account, uint128 amount);
    /// @notice A signing key and a sealing key will be replaced.
    event SignerReplaced(
        uint8 indexed role,
        address indexed account,
        address signer,
        bytes32 sealingKeyHash,
        uint64 effectiveAt,
        uint64 oldValidUntil
    );
    /// @notice A participant's endpoint changed.
    event EndpointSet(uint8 indexed role, address indexed account, string endpoint);
    /// @notice The bond behind miners' limits changed.
    event ReservedSet(address indexed coordinator, uint128 amount);
    /// @notice Coins of a bond paid what a coordinator owed.
    event BondDrawn(address indexed coordinator, uint128 amount, uint128 stake);
    /// @notice A participant was jailed.
    event Jailed(uint8 indexed role, address indexed account, uint64 until);
    /// @notice A participant left jail.
    event Unjailed(uint8 indexed role, address indexed account);
    /// @notice The parameters changed.
    event ParamsSet(RegistryParams params);
    /// @notice Coins that nobody is owed went to the Treasury.
    event Swept(uint256 amount);

    /// @notice Takes a role, with the stake sent, a signing key never used before and the keccak of a sealing key.
    function register(uint8 role, address signer, bytes32 sealingKeyHash, string calldata endpoint) external payable;
    /// @notice Adds the coins sent to the stake.
    function increase(uint8 role) external payable;
    /// @notice Begins to unbond; all of it deregisters. What stays must cover the reserved part and the least stake.
    function requestUnbond(uint8 role, uint128 amount) external;
    /// @notice Pays the caller what has unbonded.
    function withdrawUnbonded(uint8 role) external;
    /// @notice Replaces the signing and the sealing key after holdDelay; the old key is honoured holdDelay longer.
    function replaceSigner(uint8 role, address signer, bytes32 sealingKeyHash) external;
    /// @notice Changes where the participant is reached.
    function setEndpoint(uint8 role, string calldata endpoint) external;
    /// @notice Leaves jail, when its time is over and the stake suffices.
    function unjail(uint8 role) external;
    /// @notice Sets how much of a bond is reserved. Market only.
    function setReserved(address coordinator, uint128 amount) external;
    /// @notice Sends up to amount of a bond's reserved part to the Market. Market only.
    function draw(address coordinator, uint128 amount) external returns (uint128 drawn);
    /// @notice Jails a participant. Market only.
    function jail(uint8 role, address account) external;
    /// @notice Moves coins that nobody is owed to the Treasury.
    function sweep() external;
    /// @notice Sets the parameters. Governor only.
    function setParams(RegistryParams calldata params) external;

    /// @notice Returns a participant as it stands now (a replacement that is due counts as done).
    function participant(uint8 role, address account) external view returns (Participant memory);
    /// @notice Says whether signer is the participant's key, or a replaced one that is still honoured.
    function signerValid(uint8 role, address account, address signer) external view returns (bool);
    /// @notice Returns whom a signing key is bound to, for ever.
    function signerOwner(address signer) external view returns (uint8 role, address account);
    /// @notice Says whether a participant may take new business: registered, with enough stake and not jailed.
    function active(uint8 role, address account) external view returns (bool);
    /// @notice Returns what the contract owes: all stake and all that unbonds.
    function owed() external view returns (uint256);
    /// @notice Returns the parameters.
    function params() external view returns (RegistryParams memory);
    /// @notice Returns the Market.
    function market() external view returns (address);
}
