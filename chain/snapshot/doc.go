// Package snapshot writes the whole state after a block into chunks, and builds a chain's state from such chunks after
// checking every byte of them against the block's hash.
//
// A snapshot is a manifest and chunks. A chunk is a zstd frame of records: the last headers, the block, its receipts,
// then every account by the hash of its address, each followed by its code, if no earlier account had the same, and by
// its storage. All of it follows from the chain, so all nodes write the same snapshot of a height, byte for byte.
package snapshot
