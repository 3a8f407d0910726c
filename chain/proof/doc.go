// Package proof assembles what shows a transaction's receipt to someone who trusts only a validator set: the receipt
// with its path in the receipts trie, the Ethereum header, and the CometBFT header, votes and validators that sealed
// it. docs/LIGHT.md says how each part is checked without this module.
package proof
