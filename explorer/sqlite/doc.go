// Package sqlite keeps the explorer's index in one SQLite file. Blocks and the
// place that they leave the index at are written in one transaction, so a killed
// process leaves a whole index of some height.
package sqlite
