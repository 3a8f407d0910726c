// Package evm embeds unforked go-ethereum: its database, state, transaction pool and whole JSON-RPC. Peers, downloader
// and miner stay idle, and its consensus engine is never asked anything: blocks come, already executed and final, from
// the ABCI application through Commit.
package evm
