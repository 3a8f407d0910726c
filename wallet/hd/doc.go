// Package hd makes keys out of words: BIP-39 phrases, BIP-32 derivation and
// BIP-44 paths of coin type 60, as every Ethereum wallet does.
//
// Secrets are byte slices that their owner wipes; no function keeps one.
package hd
