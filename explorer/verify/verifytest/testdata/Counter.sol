// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

// A page shows this as text: <script>alert("planted")</script><img src=x onerror=alert(1)>

/// Adds, in code of its own.
library Sums {
    function add(uint256 a, uint256 b) public pure returns (uint256) {
        return a + b;
    }
}

/// Counts, and says so in every kind of value.
contract Counter {
    struct Entry {
        address by;
        uint64 height;
        string note;
    }

    error TooMuch(uint256 asked, uint256 most);

    event Counted(address indexed by, uint256 count, Entry entry);

    uint256 public immutable most;
    address public immutable owner;
    uint256 public count;
    Entry[] private entries;

    constructor(uint256 most_, string memory note) {
        (most, owner) = (most_, msg.sender);
        entries.push(Entry(msg.sender, uint64(block.number), note));
    }

    function increase(uint256 by, string calldata note) external payable {
        uint256 sum = Sums.add(count, by);
        if (sum > most) revert TooMuch(sum, most);
        count = sum;
        entries.push(Entry(msg.sender, uint64(block.number), note));
        emit Counted(msg.sender, sum, entries[entries.length - 1]);
    }

    function list() external view returns (Entry[] memory) {
        return entries;
    }

    function total(uint256[] calldata values, Entry calldata extra) external pure returns (uint256 sum, int256 negative, bytes memory text) {
        for (uint256 i = 0; i < values.length; i++) sum = Sums.add(sum, values[i]);
        (negative, text) = (-int256(sum), bytes(extra.note));
    }
}

/// Makes counters: its code holds theirs.
contract Maker {
    event Made(Counter counter);

    function make(uint256 most) external returns (Counter c) {
        emit Made(c = new Counter(most, "made"));
    }
}

/// Hands every call on, as EIP-1967 says.
contract Proxy {
    bytes32 private constant SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor(address implementation) {
        assembly {
            sstore(SLOT, implementation)
        }
    }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
