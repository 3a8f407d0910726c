// Package genesis makes and reads the first block. The predeploys' constructors and initializers run in the EVM at
// their final addresses with the real chain id, and what they leave behind (code and storage) is written into
// genesis.json, so that the file alone reproduces the state.
package genesis
