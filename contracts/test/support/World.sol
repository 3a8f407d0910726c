// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Code} from "./Code.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Faucet} from "../../src/Faucet.sol";
import {FaucetParams} from "../../src/interfaces/IFaucet.sol";
import {Fixture} from "./Fixture.sol";
import {BurningClient, ReenteringClient, RevertingClient} from "./Receivers.sol";

/// @notice The people of a history of trade, and a memory of what they signed and were paid that the contracts'
/// accounts are compared with.
abstract contract World is Fixture {
    uint256 private constant FIRST_KEY = 0xabc000;
    uint256 internal constant COORDINATORS = 3;
    uint256 internal constant MINERS = 4;
    uint256 internal constant CLIENTS = 6;
    uint64 internal constant LONGEST_SESSION = 4 days;
    uint64 internal constant LONGEST_EPOCH = 2 hours;

    Faucet internal faucet;
    address[CLIENTS] internal clients;
    address[COORDINATORS] internal coordinators;
    /// @dev The last one is a contract that refuses coins.
    address[MINERS] internal miners;
    mapping(address account => uint256) internal signerKey;
    mapping(address account => uint256) internal nextKey;
    mapping(address account => uint256) internal nextAt;
    bytes32 private separator;

    /// @dev The greatest voucher or agreed close signed for a session, and the sum of the prices of all its orders.
    mapping(uint64 session => uint256) internal vouched;
    mapping(uint64 session => uint256) internal ordered;
    mapping(uint64 session => uint64) internal orders;
    /// @dev The greatest total that a coordinator countersigned for a miner, or credited.
    mapping(address coordinator => mapping(address miner => uint128)) internal promised;
    /// @dev What credited was when last seen.
    mapping(address coordinator => mapping(address miner => uint128)) internal seen;
    /// @dev Which miners have claimed an epoch's pay.
    mapping(uint64 epoch => mapping(address miner => bool)) internal claimed;
    /// @dev Coins in a contract that it owes nobody: forced upon it, or left over. sweep takes them.
    mapping(address where => uint256) internal surplus;
    /// @dev All coins in the world.
    uint256 internal coins;
    /// @dev What the faucet gave in an hour, and to whom when last.
    mapping(uint256 hour => uint256) internal given;
    mapping(address to => uint256) internal givenAt;
    /// @notice How many calls were made and not reverted.
    uint256 public calls;
    /// @dev What was seen to go wrong while it happened.
    string internal wrong;

    modifier counted() {
        _;
        ++calls;
    }

    function setUp() public override {
        vm.warp(START);
        deploy();
        separator = market.domainSeparator();
        bytes memory init = abi.encodeCall(Faucet.initialize, (governor, address(treasury), faucetParams()));
        faucet = Faucet(payable(new ERC1967Proxy(Code.make("Faucet.sol:Faucet"), init)));
        give(address(faucet), 1_000 ether);
        for (uint256 i; i < COORDINATORS; ++i) {
            coordinators[i] = person(i);
        }
        for (uint256 i; i < MINERS - 1; ++i) {
            miners[i] = person(10 + i);
        }
        for (uint256 i; i < 3; ++i) {
            clients[i] = person(20 + i);
        }
        clients[3] = address(new RevertingClient(market));
        clients[4] = address(new BurningClient(market));
        clients[5] = address(new ReenteringClient(market));
        miners[MINERS - 1] = address(new RevertingClient(market));
        for (uint256 i; i < CLIENTS; ++i) {
            give(clients[i], 100_000 ether);
        }
        for (uint256 i; i < COORDINATORS; ++i) {
            give(coordinators[i], 100_000 ether);
            enter(coordinators[i], COORDINATOR, 10_000 ether);
        }
        for (uint256 i; i < MINERS; ++i) {
            give(miners[i], 100_000 ether);
            enter(miners[i], MINER, 1_000 ether);
        }
    }

    function faucetParams() internal pure returns (FaucetParams memory) {
        return FaucetParams(10 ether, 25 ether, 2 hours);
    }

    /// @dev The domain never changes, so that it is asked for once.
    function digest(bytes32 structHash) internal view override returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    /// @dev Makes coins.
    function give(address to, uint256 amount) internal {
        vm.deal(to, to.balance + amount);
        coins += amount;
    }

    /// @dev Ends a block as the node does: Rewards first, with new coins, then the Market.
    function endBoth() internal {
        uint128 made = rewards.issuance();
        give(SYSTEM, made);
        uint64 epoch = rewards.epoch();
        uint256 owed = rewards.owed();
        uint256 held = address(stakers).balance + address(treasury).balance;
        vm.prank(SYSTEM);
        rewards.endBlock{value: made}();
        if (SYSTEM.balance != 0) wrong = "all coins made are handed over";
        held = address(stakers).balance + address(treasury).balance - held;
        if (rewards.owed() + held != owed + made) wrong = "issued coins are miners' or stakers'";
        if (rewards.epoch() > epoch + 1) wrong = "one epoch at a time";
        endBlock();
    }

    /// @dev Everybody who may have been paid for work: a coordinator may credit itself.
    function worker(uint256 i) internal view returns (address) {
        return i < MINERS ? miners[i] : coordinators[i - MINERS];
    }

    function participant(uint256 who) internal view returns (address, uint8) {
        uint256 n = who % (COORDINATORS + MINERS);
        if (n < COORDINATORS) return (coordinators[n], COORDINATOR);
        return (miners[n - COORDINATORS], MINER);
    }

    function keyOf(address account) internal view returns (uint256) {
        return nextAt[account] != 0 && time() >= nextAt[account] ? nextKey[account] : signerKey[account];
    }

    function person(uint256 i) private returns (address account) {
        account = vm.addr(FIRST_KEY + i);
        signerKey[account] = FIRST_KEY + 100 + i;
    }

    function enter(address account, uint8 role, uint256 amount) private {
        uint256 key = signerKey[account];
        address signer = key == 0 ? address(uint160(account) + 1) : vm.addr(key);
        vm.prank(account);
        registry.register{value: amount}(role, signer, 0, "");
    }
}
