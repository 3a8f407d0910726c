// Package compose tests docker-compose.yml on a real engine: what the specification's quick start promises.
package compose
