// Command aitbc-miner-gpu does for aitbc-miner, which runs it, what needs the machine's shared libraries: they can only be
// opened by a program that is linked dynamically, and a miner is not.
//
//	aitbc-miner-gpu [LIBRARY]     prints what NVIDIA's management library says of the GPUs, as one JSON value
//	aitbc-miner-gpu power-limit DEVICE MILLIWATTS [LIBRARY]
//	                              has a device draw at most so much, which root alone may do
//	aitbc-miner-gpu llama START   runs a model with llama.cpp in a sandbox: package engine/llama/child
package main
