// Package e2e tests whole networks: the real programs, started as aitbc up
// starts them, on a chain of their own.
package e2e
