// Package stream tells WebSocket clients about every final block and transaction. A client that does not read fast
// enough is dropped: it can come back and read what it missed from the chain.
package stream
