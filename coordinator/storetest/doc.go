// Package storetest holds what every store of the coordinator must do: [Run]
// tests one, by stories, by random sequences against [Memory], and by many
// callers at once.
package storetest
