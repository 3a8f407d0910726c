package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aitbc/aitbc/bench/lifecycle"
	"github.com/hibiken/asynq"

	"github.com/aitbc/aitbc/bench/peers/play"
)

func TestMain(m *testing.M) { os.Exit(play.Main(m)) }

// server starts a Redis that syncs every write before it acknowledges it.
func server(b *testing.B) asynq.RedisClientOpt {
	b.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		b.Skip("redis-server is not installed")
	}
	socket := filepath.Join(b.TempDir(), "redis.sock")
	cmd := exec.CommandContext(b.Context(), program, "--port", "0", "--unixsocket", socket, "--dir", filepath.Dir(socket), "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			return asynq.RedisClientOpt{Network: "unix", Addr: socket}
		}
		if time.Now().After(deadline) {
			b.Fatal("redis-server does not answer")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// rate is how many tasks a second go through asynq: enqueued, taken by a worker
// that does nothing, and done. Each client has one under way.
func rate(b *testing.B, redis asynq.RedisClientOpt, clients int, long time.Duration) float64 {
	b.Helper()
	var done sync.Map
	srv := asynq.NewServer(redis, asynq.Config{Concurrency: clients, LogLevel: asynq.FatalLevel, TaskCheckInterval: 10 * time.Millisecond})
	err := srv.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		c, ok := done.LoadAndDelete(string(t.Payload()))
		if !ok {
			return errors.New("a task that nobody knows")
		}
		close(c.(chan struct{}))
		return nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Shutdown()
	client := asynq.NewClient(redis)
	defer client.Close() //nolint:errcheck // a benchmark ends
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for who := range clients {
		wg.Go(func() {
			for i := 0; time.Since(began) < long; i++ {
				id := fmt.Sprintf("%d/%d/%d", began.UnixNano(), who, i)
				end := make(chan struct{})
				done.Store(id, end)
				if _, err := client.EnqueueContext(b.Context(), asynq.NewTask("completion", []byte(id))); err != nil {
					b.Error(err)
					return
				}
				<-end
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

func BenchmarkLifecycleBesideAsynq(b *testing.B) {
	redis := server(b)
	const long = 2 * time.Second
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			var ours, theirs float64
			for b.Loop() {
				theirs += rate(b, redis, clients, long)
				r, err := lifecycle.Rate(b.Context(), b.TempDir(), clients, long)
				if err != nil {
					b.Fatal(err)
				}
				ours += r
			}
			b.ReportMetric(ours/float64(b.N), "ours/s")
			b.ReportMetric(theirs/float64(b.N), "asynq/s")
			b.ReportMetric(ours/theirs, "ours/asynq")
		})
	}
}
