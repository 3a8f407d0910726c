// Package validators starts networks of several validators from the real
// program, each in a process of its own and, where the system allows it, in a
// network namespace of its own, and does to them what happens to machines.
package validators
