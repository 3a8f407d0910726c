package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/wire"
	"github.com/aitbc/aitbc/apierr"
)

func TestFramesComeAsTheyWereSent(t *testing.T) {
	t.Parallel()
	job := common.Hash{1, 2, 3}
	raw := wire.Append(nil, wire.Result, 7, wire.JobPrefix(job, "a lease"), []byte("{}"))
	raw = wire.Append(raw, wire.Drain, 1<<31)
	r := bufio.NewReader(bytes.NewReader(raw))
	f, err := wire.Read(r)
	if err != nil || f.Kind != wire.Result || f.Number != 7 {
		t.Fatalf("%+v, %v", f, err)
	}
	if id, lease, rest, err := wire.CutJob(f.Body); err != nil || id != job || lease != "a lease" || string(rest) != "{}" {
		t.Errorf("%s %q %q, %v", id, lease, rest, err)
	}
	if f, err = wire.Read(r); err != nil || f.Kind != wire.Drain || f.Number != 1<<31 || len(f.Body) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err = wire.Read(r); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(wire.Append(nil, wire.Claim, 1, []byte{0, 20}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 4, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := wire.Read(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if again := wire.Append(nil, got.Kind, got.Number, got.Body); !bytes.HasPrefix(b, again) {
			t.Fatalf("%x was read as %x", b, again)
		}
		if job, lease, rest, err := wire.CutJob(got.Body); err == nil && !bytes.Equal(append(wire.JobPrefix(job, lease), rest...), got.Body) {
			t.Fatalf("%x: %s %q %x", got.Body, job, lease, rest)
		}
	})
}

// pair is a client, and the other end of its connection.
func pair(t *testing.T) (c *wire.Client, frames *bufio.Reader, there net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	c = wire.NewClient(here)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); _ = there.Close(); wg.Wait() })
	return c, bufio.NewReader(there), there
}

func TestAnswersFindTheirQuestions(t *testing.T) {
	t.Parallel()
	c, frames, there := pair(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		var asked []wire.Frame
		for range 2 {
			f, err := wire.Read(frames)
			if err != nil {
				t.Error(err)
				return
			}
			asked = append(asked, f)
		}
		for _, f := range []wire.Frame{asked[1], asked[0]} { // the other way round
			b := wire.Append(nil, wire.Answer, f.Number, []byte(`{"job_id":"`+common.Hash{f.Body[1]}.Hex()+`"}`))
			if f.Body[1] == 9 {
				b = wire.Append(nil, wire.Refusal, f.Number, []byte(`{"code":"lease_lost","message":"no"}`))
			}
			if _, err := there.Write(b); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		if a, err := c.Claim(t.Context(), 5*time.Second); err != nil || a.JobID != (common.Hash{5}) {
			t.Errorf("%+v, %v", a, err)
		}
	})
	if _, err := c.Claim(t.Context(), 9*time.Second); !apierr.HasCode(err, apierr.LeaseLost) {
		t.Errorf("%v", err)
	}
}

// A claim that is given up is withdrawn, and a job that was on its way is not lost.
func TestAJobThatCrossesAWithdrawalIsTaken(t *testing.T) {
	t.Parallel()
	c, frames, there := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		claim, err := wire.Read(frames)
		cancel()
		if err != nil {
			t.Error(err)
			return
		}
		if f, err := wire.Read(frames); err != nil || f.Kind != wire.Withdraw || f.Number != claim.Number {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := there.Write(wire.Append(nil, wire.Answer, claim.Number, []byte(`{"lease":"l"}`))); err != nil {
			t.Error(err)
		}
	})
	if a, err := c.Claim(ctx, time.Minute); err != nil || a == nil || a.Lease != "l" {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestABrokenConnectionEndsEveryWait(t *testing.T) {
	t.Parallel()
	c, frames, there := pair(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if _, err := wire.Read(frames); err != nil {
			t.Error(err)
		}
		_ = there.Close()
	})
	if _, err := c.Heartbeat(t.Context(), api.HeartbeatRequest{}); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := c.Stream(t.Context(), common.Hash{1}, "l", strings.NewReader("{}\n"), false); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAStreamIsSentInWholeLines(t *testing.T) {
	t.Parallel()
	c, frames, _ := pair(t)
	long := strings.Repeat("x", 100_000) + "\n"
	want := "one\ntwo\n" + long + "end\n"
	got := make(chan string, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		var all strings.Builder
		for all.Len() < len(want) {
			f, err := wire.Read(frames)
			if err != nil {
				t.Error(err)
				break
			}
			_, _, lines, err := wire.CutJob(f.Body)
			if err != nil || len(lines) == 0 || lines[len(lines)-1] != '\n' {
				t.Errorf("%.20q, %v", lines, err)
			}
			all.Write(lines)
		}
		got <- all.String()
	})
	n, err := c.Stream(t.Context(), common.Hash{1}, "l", io.MultiReader(strings.NewReader("one\ntw"), strings.NewReader("o\n"+long+"end\n")), false)
	if err != nil || n.Delivered != 4 || n.Canceled || <-got != want {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := c.Stream(t.Context(), common.Hash{1}, "l", strings.NewReader("half a line"), true); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a line: %v", err)
	}
}

// A refusal is heard however late it comes, if the miner wants to be sure.
func TestASureStreamHearsItsRefusal(t *testing.T) {
	t.Parallel()
	for _, refused := range []bool{false, true} {
		c, frames, there := pair(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			for empty := false; !empty; {
				f, err := wire.Read(frames)
				if err != nil {
					t.Error(err)
					return
				}
				_, _, lines, err := wire.CutJob(f.Body)
				if err != nil {
					t.Error(err)
				}
				empty = len(lines) == 0
				if !empty {
					continue
				}
				answers := wire.Append(nil, wire.Answer, f.Number, []byte(`{"delivered":1}`))
				if refused {
					answers = append(wire.Append(nil, wire.Refusal, f.Number, []byte(`{"code":"conflict","message":"differs"}`)), answers...)
				}
				if _, err := there.Write(answers); err != nil {
					t.Error(err)
				}
			}
		})
		n, err := c.Stream(t.Context(), common.Hash{1}, "l", strings.NewReader("one\ntwo\n"), true)
		if refused != apierr.HasCode(err, apierr.Conflict) || !refused && (err != nil || n.Delivered != 1) {
			t.Errorf("refused %v: %+v, %v", refused, n, err)
		}
		wg.Wait()
	}
}
