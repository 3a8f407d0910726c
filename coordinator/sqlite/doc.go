// Package sqlite keeps the coordinator's state of record in an SQLite file with a
// log before it, for one process.
//
// Every method is one use case, all or nothing, and returns when what it did is
// on the disk. Orders, leases and results go to the log, see hot.go; all else
// goes to the database at once, many callers in one transaction.
package sqlite
