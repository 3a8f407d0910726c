// Command aitbc-miner-gpu prints what NVIDIA's management library says of the GPUs, as one JSON value, for aitbc-miner, which
// runs it: the library can only be opened by a program that is linked dynamically, and a miner is not.
//
//	aitbc-miner-gpu [LIBRARY]
package main
