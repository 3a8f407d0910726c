// Package redis compares the life of a job with asynq's.
package redis
