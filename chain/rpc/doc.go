// Package rpc serves port 26657: CometBFT's own routes and, beside them, the specification's get_block, get_tx,
// broadcast_tx and get_balance, the proofs for light clients, and the audit, as JSON-RPC and as GET URIs.
package rpc
