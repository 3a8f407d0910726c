// Package store keeps the explorer's index in a database: one SQLite file, or
// PostgreSQL. Blocks and the place that they leave the index at are written in one
// transaction, so a killed process leaves a whole index of some height. Several
// explorers may follow the chain into one PostgreSQL: each block is written once.
package store
