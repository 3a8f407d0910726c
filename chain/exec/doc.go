// Package exec runs a block on top of its parent's state, once: transactions, then the system calls of the predeploys,
// then the header. Everything comes from the block and the state; only the proposer's choice of transactions has a
// time limit, and that choice is part of the block.
package exec
