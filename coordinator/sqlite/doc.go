// Package sqlite is the coordinator's state of record: sessions and their
// ledger, jobs, miners' accounts, API keys and settlement batches, in SQLite.
//
// Every method is one use case and one transaction. Writes of concurrent
// callers are committed in groups: a method returns when its group is on disk.
package sqlite
