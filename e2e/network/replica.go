package network

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/internal/secret"
)

// Replica is a coordinator beside the network's own.
type Replica struct {
	*client.Client
	Addr string
	p    *process
}

// Replica starts another coordinator for the same account and on the same
// database, and returns when it answers. It is stopped when the test ends.
func (n *Network) Replica() *Replica {
	n.t.Helper()
	return n.second("--account", n.Coordinator.Hex())
}

// Rival starts a coordinator of another account, whose key is in the home's
// keystore and which can pay the usual bond, with a ledger of its own. It returns
// when it answers; it is stopped when the test ends. Its client has no API key.
func (n *Network) Rival(account common.Address) *Replica {
	n.t.Helper()
	r := n.second("--account", account.Hex(), "--database-url", "sqlite:///"+filepath.Join(n.t.TempDir(), "rival.db"))
	var err error
	if r.Client, err = client.New("http://"+r.Addr, secret.Text{}); err != nil {
		n.t.Fatal(err)
	}
	return r
}

func (n *Network) second(flags ...string) *Replica {
	n.t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(n.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	addr := ln.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		err = ln.Close()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := client.New("http://"+addr, n.APIKey())
	if err != nil {
		n.t.Fatal(err)
	}
	r := &Replica{Client: c, Addr: addr, p: n.start(append([]string{"coordinator", "--home", string(n.Home), "--port-offset", strconv.Itoa(n.PortOffset), "--api-port", port}, flags...)...)}
	n.t.Cleanup(func() {
		if err := r.p.stop(); err != nil && !n.t.Failed() && !r.killed() {
			n.t.Errorf("the second coordinator did not stop: %v\n%s", err, r.p.stderr.String())
		}
		if n.t.Failed() {
			n.t.Logf("log of the second coordinator:\n%s", r.p.stderr.String())
		}
	})
	n.Wait("the second coordinator", func() bool { _, err := r.Models(n.t.Context()); return err == nil })
	return r
}

func (r *Replica) killed() bool { return r.p.cmd.ProcessState != nil && !r.p.cmd.ProcessState.Exited() }

// Kill ends it with SIGKILL, as a crash would.
func (r *Replica) Kill() error {
	err := r.p.cmd.Process.Kill()
	<-r.p.done
	return err
}

// Door forwards connections to one of several servers, as a load balancer does.
type Door struct {
	Addr string
	to   atomic.Pointer[string]
}

// NewDoor opens a door to addr until the test ends.
func NewDoor(t testing.TB, addr string) *Door {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &Door{Addr: ln.Addr().String()}
	d.Lead(addr)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { d.forward(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = ln.Close() // no more come
		wg.Wait()
	})
	return d
}

// Lead has new connections go to addr.
func (d *Door) Lead(addr string) { d.to.Store(&addr) }

func (d *Door) forward(ctx context.Context, in net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", *d.to.Load())
	if err != nil {
		_ = in.Close() // as a server that is away
		return
	}
	both := func() { _, _ = in.Close(), out.Close() }
	defer context.AfterFunc(ctx, both)()
	var wg sync.WaitGroup
	for _, x := range [][2]net.Conn{{in, out}, {out, in}} {
		wg.Go(func() {
			_, _ = io.Copy(x[0], x[1]) // either end may go away
			both()
		})
	}
	wg.Wait()
}

// String implements fmt.Stringer.
func (d *Door) String() string { return fmt.Sprintf("http://%s", d.Addr) }
