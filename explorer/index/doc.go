// Package index reads a node's blocks, in order and each once, decodes what
// the network's contracts said in them, and hands them to a store. A block is
// final when it is there, so nothing is ever taken back: the same chain always
// gives the same index, from whichever node and however often interrupted.
package index
