// Package sqlite keeps the coordinator's state of record in an SQLite file, for
// one process.
//
// Every method is one use case and one transaction. Writes of concurrent
// callers are committed in groups: a method returns when its group is on disk.
package sqlite
