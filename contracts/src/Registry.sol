// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Governed} from "./lib/Governed.sol";
import {Participant, RegistryParams} from "./Types.sol";

/// @title Registry
/// @notice The predeploy that holds miners' stake and coordinators' bond, and says which key signs for whom.
/// @dev A signing key is bound to one (account, role) for ever, so a receipt names its signer at any later time.
/// A coordinator's stake never falls below what is reserved for miners' limits, except by paying those miners.
contract Registry is Governed, ReentrancyGuardTransient, IRegistry {
    uint8 private constant MINER = 1;
    uint8 private constant COORDINATOR = 2;
    uint256 private constant MAX_ENDPOINT = 256;
    uint64 private constant MIN_UNBOND = 1 hours;
    uint64 private constant MAX_UNBOND = 90 days;
    uint64 private constant MAX_JAIL = 30 days;

    /// @dev bindings comes first: light clients prove its slots. A binding is uint160(account) | role << 160.
    /// @custom:storage-location erc7201:aitbc.storage.Registry
    struct RegistryState {
        mapping(address signer => uint256 binding) bindings;
        uint256 owed;
        address market;
        RegistryParams params;
        mapping(uint8 role => mapping(address account => Participant)) participants;
    }

    // keccak256(abi.encode(uint256(keccak256("aitbc.storage.Registry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant REGISTRY_SLOT = 0x46fca742811cfad71ee5738fc2047041f60e24714d474427a7cf5fb3e7f13500;

    modifier onlyMarket() {
        if (msg.sender != _state().market) revert Unauthorized(msg.sender);
        _;
    }

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the contract up, once, before the Market.
    function initialize(address governor_, address market_, RegistryParams calldata params_) external initializer {
        if (market_ == address(0)) revert ZeroAddress();
        _initGovernor(governor_);
        _state().market = market_;
        _setParams(params_);
    }

    /// @inheritdoc IRegistry
    function register(uint8 role, address signer, bytes32 sealingKeyHash, string calldata endpoint)
        external
        payable
        nonReentrant
    {
        uint128 least = _least(role);
        Participant storage p = _state().participants[role][msg.sender];
        if (p.registered) revert AlreadyRegistered();
        uint128 stake = _receive();
        if (stake < least) revert StakeTooLow(stake, least);
        _roll(p);
        if (p.signer == address(0)) {
            _bind(role, signer);
            p.signer = signer;
        } else if (p.signer != signer) {
            // Coming back is no way around the time a replacement takes.
            revert SignerChanged(p.signer);
        }
        p.registered = true;
        p.stake = stake;
        p.sealingKeyHash = sealingKeyHash;
        _setEndpoint(p, endpoint);
        emit Registered(role, msg.sender, signer, sealingKeyHash, stake, endpoint);
    }

    /// @inheritdoc IRegistry
    function increase(uint8 role) external payable nonReentrant {
        Participant storage p = _registered(role);
        uint128 amount = _receive();
        if (amount == 0) revert BadAmount();
        uint128 stake = p.stake + amount;
        p.stake = stake;
        emit StakeIncreased(role, msg.sender, amount, stake);
    }

    /// @inheritdoc IRegistry
    /// @dev Allowed in jail too, since whoever cannot unjail must still have a way out.
    function requestUnbond(uint8 role, uint128 amount) external nonReentrant {
        Participant storage p = _registered(role);
        uint128 stake = p.stake;
        if (amount > stake || (amount == 0 && stake != 0)) revert BadAmount();
        uint128 rest = stake - amount;
        if (rest < p.reserved) revert StakeReserved(rest, p.reserved);
        if (rest == 0) {
            p.registered = false;
        } else {
            uint128 least = _least(role);
            if (rest < least) revert StakeTooLow(rest, least);
        }
        uint64 unbondAt = uint64(block.timestamp) + _state().params.unbondDelay;
        p.stake = rest;
        p.unbonding += amount;
        p.unbondAt = unbondAt;
        emit UnbondRequested(role, msg.sender, amount, unbondAt);
    }

    /// @inheritdoc IRegistry
    function withdrawUnbonded(uint8 role) external nonReentrant {
        Participant storage p = _state().participants[role][msg.sender];
        uint128 amount = p.unbonding;
        if (amount == 0 || block.timestamp < p.unbondAt) revert NotDue(p.unbondAt);
        (p.unbonding, p.unbondAt) = (0, 0);
        _state().owed -= amount;
        emit Unbonded(role, msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    /// @dev A replacement that still waits may be replaced itself, from the beginning. One that is done holds the old
    /// key for a while, and only then may the next begin: so no key is ever dropped before its time.
    function replaceSigner(uint8 role, address signer, bytes32 sealingKeyHash) external nonReentrant {
        Participant storage p = _registered(role);
        _roll(p);
        if (p.nextSigner == address(0) && block.timestamp < p.oldSignerUntil) revert SignerHeld(p.oldSignerUntil);
        _bind(role, signer);
        uint64 hold = IMarket(_state().market).holdDelay();
        uint64 effectiveAt = uint64(block.timestamp) + hold;
        (p.nextSigner, p.nextSealingKeyHash, p.nextSignerAt) = (signer, sealingKeyHash, effectiveAt);
        (p.oldSigner, p.oldSignerUntil) = (p.signer, effectiveAt + hold);
        emit SignerReplaced(role, msg.sender, signer, sealingKeyHash, effectiveAt, effectiveAt + hold);
    }

    /// @inheritdoc IRegistry
    function setEndpoint(uint8 role, string calldata endpoint) external {
        _setEndpoint(_registered(role), endpoint);
        emit EndpointSet(role, msg.sender, endpoint);
    }

    /// @inheritdoc IRegistry
    function unjail(uint8 role) external {
        Participant storage p = _registered(role);
        uint64 until = p.jailedUntil;
        if (until == 0 || block.timestamp < until) revert CannotUnjail(until);
        uint128 least = _least(role);
        if (p.stake < least) revert StakeTooLow(p.stake, least);
        p.jailedUntil = 0;
        emit Unjailed(role, msg.sender);
    }

    /// @inheritdoc IRegistry
    function setReserved(address coordinator, uint128 amount) external onlyMarket {
        Participant storage p = _state().participants[COORDINATOR][coordinator];
        // More needs a bond to stand on; less must always be possible.
        if (amount > p.reserved) {
            if (!p.registered) revert NotRegistered();
            if (amount > p.stake) revert StakeReserved(p.stake, amount);
        }
        p.reserved = amount;
        emit ReservedSet(coordinator, amount);
    }

    /// @inheritdoc IRegistry
    function draw(address coordinator, uint128 amount) external onlyMarket returns (uint128 drawn) {
        RegistryState storage s = _state();
        Participant storage p = s.participants[COORDINATOR][coordinator];
        (uint128 stake, uint128 reserved) = (p.stake, p.reserved);
        drawn = amount < reserved ? amount : reserved;
        if (drawn > stake) drawn = stake;
        if (drawn == 0) return 0;
        (p.stake, p.reserved) = (stake - drawn, reserved - drawn);
        s.owed -= drawn;
        emit BondDrawn(coordinator, drawn, stake - drawn);
        _send(msg.sender, drawn);
    }

    /// @inheritdoc IRegistry
    function jail(uint8 role, address account) external onlyMarket {
        RegistryState storage s = _state();
        uint64 until = uint64(block.timestamp) + s.params.jailPeriod;
        s.participants[role][account].jailedUntil = until;
        emit Jailed(role, account, until);
    }

    /// @inheritdoc IRegistry
    function sweep() external nonReentrant {
        RegistryState storage s = _state();
        uint256 surplus = address(this).balance - s.owed;
        if (surplus == 0) return;
        emit Swept(surplus);
        _send(IMarket(s.market).treasury(), surplus);
    }

    /// @inheritdoc IRegistry
    function setParams(RegistryParams calldata params_) external onlyGovernor {
        if (params_.unbondDelay < IMarket(_state().market).holdDelay()) revert BadParameter("unbondDelay");
        _setParams(params_);
    }

    /// @inheritdoc IRegistry
    function participant(uint8 role, address account) external view returns (Participant memory p) {
        p = _state().participants[role][account];
        if (p.nextSigner != address(0) && block.timestamp >= p.nextSignerAt) {
            (p.signer, p.sealingKeyHash) = (p.nextSigner, p.nextSealingKeyHash);
            (p.nextSigner, p.nextSealingKeyHash, p.nextSignerAt) = (address(0), 0, 0);
        }
    }

    /// @inheritdoc IRegistry
    function signerValid(uint8 role, address account, address signer) external view returns (bool) {
        if (signer == address(0)) return false;
        Participant storage p = _state().participants[role][account];
        address next = p.nextSigner;
        if (next == address(0) || block.timestamp < p.nextSignerAt) next = p.signer;
        return signer == next || (signer == p.oldSigner && block.timestamp < p.oldSignerUntil);
    }

    /// @inheritdoc IRegistry
    function signerOwner(address signer) external view returns (uint8 role, address account) {
        uint256 binding = _state().bindings[signer];
        return (uint8(binding >> 160), address(uint160(binding)));
    }

    /// @inheritdoc IRegistry
    function active(uint8 role, address account) external view returns (bool) {
        Participant storage p = _state().participants[role][account];
        return p.registered && p.jailedUntil == 0 && p.stake >= _least(role);
    }

    /// @inheritdoc IRegistry
    function owed() external view returns (uint256) {
        return _state().owed;
    }

    /// @inheritdoc IRegistry
    function params() external view returns (RegistryParams memory) {
        return _state().params;
    }

    /// @inheritdoc IRegistry
    function market() external view returns (address) {
        return _state().market;
    }

    function _setParams(RegistryParams calldata p) private {
        if (p.minMinerStake == 0) revert BadParameter("minMinerStake");
        if (p.minCoordinatorBond == 0) revert BadParameter("minCoordinatorBond");
        if (p.unbondDelay < MIN_UNBOND || p.unbondDelay > MAX_UNBOND) revert BadParameter("unbondDelay");
        if (p.jailPeriod == 0 || p.jailPeriod > MAX_JAIL) revert BadParameter("jailPeriod");
        _state().params = p;
        emit ParamsSet(p);
    }

    /// @dev Makes a replacement that is due take effect.
    function _roll(Participant storage p) private {
        if (p.nextSigner == address(0) || block.timestamp < p.nextSignerAt) return;
        (p.signer, p.sealingKeyHash) = (p.nextSigner, p.nextSealingKeyHash);
        (p.nextSigner, p.nextSealingKeyHash, p.nextSignerAt) = (address(0), 0, 0);
    }

    function _bind(uint8 role, address signer) private {
        RegistryState storage s = _state();
        if (signer == address(0) || s.bindings[signer] != 0) revert SignerTaken(signer);
        s.bindings[signer] = uint256(uint160(msg.sender)) | (uint256(role) << 160);
    }

    function _setEndpoint(Participant storage p, string calldata endpoint) private {
        if (bytes(endpoint).length > MAX_ENDPOINT) revert EndpointTooLong();
        p.endpoint = endpoint;
    }

    function _receive() private returns (uint128 amount) {
        if (msg.value > type(uint128).max) revert BadAmount();
        amount = uint128(msg.value);
        _state().owed += amount;
    }

    function _send(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to);
    }

    function _registered(uint8 role) private view returns (Participant storage p) {
        p = _state().participants[role][msg.sender];
        if (!p.registered) revert NotRegistered();
    }

    function _least(uint8 role) private view returns (uint128) {
        RegistryParams storage p = _state().params;
        if (role == MINER) return p.minMinerStake;
        if (role == COORDINATOR) return p.minCoordinatorBond;
        revert UnknownRole(role);
    }

    function _state() private pure returns (RegistryState storage s) {
        bytes32 slot = REGISTRY_SLOT;
        assembly ("memory-safe") {
            s.slot := slot
        }
    }
}
