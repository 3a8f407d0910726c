// Package postgres compares durable submits with River's inserts.
package postgres
