// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";

/// @notice A client that is a contract and does to a refund what its kind says.
abstract contract ContractClient {
    Market internal immutable market;

    constructor(Market market_) payable {
        market = market_;
    }

    function open(address coordinator, address spender, uint256 deposit, uint64 expiry) external returns (uint64) {
        return market.openSession{value: deposit}(coordinator, spender, expiry);
    }

    function requestClose(uint64 id) external {
        market.requestClose(id);
    }

    function withdraw(address payable to) external {
        market.withdraw(to);
    }
}

/// @notice Refuses coins.
contract RevertingClient is ContractClient {
    constructor(Market market_) payable ContractClient(market_) {}

    receive() external payable {
        revert("no");
    }
}

/// @notice Burns all the gas it is given.
contract BurningClient is ContractClient {
    constructor(Market market_) payable ContractClient(market_) {}

    receive() external payable {
        while (true) {}
    }
}

/// @notice Answers with as much data as it can pay for.
contract BombClient is ContractClient {
    constructor(Market market_) payable ContractClient(market_) {}

    receive() external payable {
        assembly {
            return(0, 0x4000)
        }
    }
}

/// @notice Tries to have its money twice when it is paid.
contract ReenteringClient is ContractClient {
    uint64 internal session;
    bool public reentered;

    constructor(Market market_) payable ContractClient(market_) {}

    function aim(uint64 id) external {
        session = id;
    }

    receive() external payable {
        try market.refund(session) {
            reentered = true;
        } catch {}
        try market.withdraw(payable(address(this))) {
            reentered = true;
        } catch {}
    }
}

/// @notice Gives its coins to an address that did not ask for them.
/// @dev In assembly, since the compiler warns of the opcode, whose only use left is this.
contract Forcer {
    constructor(address payable to) payable {
        assembly {
            selfdestruct(to)
        }
    }
}
