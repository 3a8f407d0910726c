// Command aitbc-miner-gpu prints what NVIDIA's management library says of the GPUs, as one JSON value, for aitbc-miner, which
// runs it: the library can only be opened by a program that is linked dynamically, and a miner is not. It also has a device
// draw at most so many milliwatts, which root alone may do.
//
//	aitbc-miner-gpu [LIBRARY]
//	aitbc-miner-gpu power-limit DEVICE MILLIWATTS [LIBRARY]
package main
