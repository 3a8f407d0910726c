// Package chainclient talks to a chain node over JSON-RPC, and sends
// transactions until they are in a block, without linking a node.
package chainclient
