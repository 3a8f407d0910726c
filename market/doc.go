// Package market defines the words of the compute market that everyone
// shares: amounts and prices, offers, and the life of a job.
//
// It holds values and pure functions only: no clock, no disk, no network. Time
// and chance are arguments. The formats are fixed in docs/PROTOCOL.md.
package market
