// Package abci is the application that CometBFT drives: it proposes, checks and decides blocks by executing each of
// them once, and commits them to the embedded chain. CometBFT's mempool only gossips; the pool is go-ethereum's.
package abci
