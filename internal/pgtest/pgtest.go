//go:build unix

// Package pgtest starts a real PostgreSQL for a test, from the programs that
// Debian's package postgresql installs, and stops it with the test.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Require is the variable that makes a missing PostgreSQL a failure, not a
// reason to skip.
const Require = "AITBC_REQUIRE_POSTGRES"

// startTime bounds how long a server takes to answer, after a crash too.
const startTime = 60 * time.Second

// Server is a running PostgreSQL that syncs what it acknowledges. It listens on
// a Unix socket only.
type Server struct {
	bin, dir string
	cred     *syscall.Credential
	cmd      *exec.Cmd
	ended    chan error
	life     sync.WaitGroup
	log      bytes.Buffer
	schemas  atomic.Int32
}

// Start makes a database cluster and starts it. Without PostgreSQL it skips the
// test, or fails it where [Require] is set.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{bin: programs(t)}
	// The test's own directory is closed to other users, and PostgreSQL refuses to
	// run as root.
	dir, err := os.MkdirTemp("", "aitbc-pg-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.dir = dir
	if os.Geteuid() == 0 {
		s.cred = nobody(t)
		if err := os.Chown(dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", "aitbc", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(func() { s.stop(syscall.SIGINT) })
	s.Run(t)
	return s
}

// programs finds the directory of the newest PostgreSQL.
func programs(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("pg_isready"); err == nil && len(found) == 0 {
		found = append(found, path)
	}
	if len(found) == 0 {
		if os.Getenv(Require) != "" {
			t.Fatalf("%s is set and there is no PostgreSQL: install Debian's package postgresql", Require)
		}
		t.Skip("there is no PostgreSQL: install Debian's package postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// nobody returns an account without rights to run the server as.
func nobody(t testing.TB) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...) //nolint:gosec // the test's
	cmd.Dir = s.dir
	cmd.SysProcAttr = attributes(s.cred)
	return cmd
}

// Run starts the server, as after [Server.Crash], and returns when it answers.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	// wal_level and buffers keep it small; whatever concerns the disk is as it comes.
	s.cmd = s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=64MB", "-c", "max_connections=200", "-c", "fsync=on")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.ended = make(chan error, 1)
	started := make(chan error, 1)
	s.life.Go(func() { // ends with the server
		runtime.LockOSThread() // the kernel ends the server with the thread that started it
		defer runtime.UnlockOSThread()
		started <- s.cmd.Start()
		s.ended <- s.cmd.Wait()
	})
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(startTime)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := s.command("pg_isready", "-q", "-h", s.dir)
		if ready.Run() == nil {
			return
		}
		select {
		case <-tick.C:
		case err := <-s.ended:
			s.cmd = nil
			t.Fatalf("postgres ended: %v\n%s", err, s.log.String())
		case <-deadline.C:
			t.Fatalf("postgres does not answer\n%s", s.log.String())
		}
	}
}

// Crash ends the server at once, as a power cut does for its processes: it
// recovers from its log when it is run again.
func (s *Server) Crash() { s.stop(syscall.SIGQUIT) }

func (s *Server) stop(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended
	s.life.Wait()
	s.cmd = nil
}

// URL returns the address of a schema that nobody else uses.
func (s *Server) URL() string {
	q := url.Values{"host": {s.dir}, "search_path": {fmt.Sprintf("test_%d", s.schemas.Add(1))}}
	return "postgres://aitbc@/postgres?" + q.Encode()
}
