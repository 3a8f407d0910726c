// Package valset keeps the set of validators that the chain has, in an account of its own that only the node writes:
// whatever a contract says, the node tells CometBFT only differences to the set that CometBFT really has.
package valset
