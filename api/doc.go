// Package api holds the JSON types of the coordinator's HTTP interface, shared
// by the coordinator, the miner and the command line. docs/PROTOCOL.md section
// 7 lists the routes; openapi.json describes them.
package api
