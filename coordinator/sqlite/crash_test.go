package sqlite

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/storetest"
	"github.com/aitbc/aitbc/coordinator/wal"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// TestMain also plays the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("AITBC_TEST_VICTIM"); path != "" {
		if err := victim(context.Background(), path, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func order(session uint64, most uint64) *ledger.Job {
	return &ledger.Job{Session: session, Client: common.Address{9}, Model: "m", MaxPrice: market.Units(most), Spec: ledger.Spec{Salt: make([]byte, 32)}, Request: []byte(`{"v":1}`), Created: 5, Expires: 99}
}

// putKey makes an API key with a budget, which some of the jobs are of.
func putKey(ctx context.Context, s storetest.Store, n int, most uint64) error {
	hash := keyHash(n)
	if _, err := s.Key(ctx, hash); !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	k := ledger.Key{Scope: ledger.ScopeClient, Account: common.Address{9}, Budget: ledger.Budget{Total: market.Units(most), Month: market.Units(most)}}
	return s.PutKey(ctx, hash, k, 1, ledger.Event{})
}

func keyHash(n int) common.Hash { return common.Hash{7, byte(n)} }

func sign(j *ledger.Job) error {
	j.Spec.Order.Session, j.Spec.Order.Number = j.Session, j.Number
	j.ID = receipt.Digest(receipt.Domain{ChainID: 1}, j.Spec.Order)
	return nil
}

func result(j *ledger.Job, miner common.Address, lease string, price uint64) ledger.Completion {
	return ledger.Completion{
		Job: j.ID, Session: j.Session, Miner: miner, Lease: lease, State: market.Completed, Class: "c", Reason: "stop", Output: "hi", MarginBps: 100, At: 7, FirstToken: 6,
		Receipt: receipt.Receipt{Version: 1, Order: j.ID, Price: market.Units(price), PromptTokens: 1, CompletionTokens: 2}, ReceiptID: j.ID,
		Countersign: func(total market.Amount) (s receipt.Signature, err error) {
			b := total.Bytes16()
			copy(s[:], b[:])
			return s, nil
		},
	}
}

func seed(ctx context.Context, s storetest.Store) error {
	var errs []error
	for n := uint64(1); n <= 2; n++ {
		errs = append(errs, s.PutSession(ctx, ledger.Session{ID: n, Client: common.Address{9}, SpenderN: 1, Account: market.SessionAccount{Deposit: market.Units(1 << 40)}, Expiry: 1000, DueAt: 1000, FeeBps: 250, State: ledger.SessionOpen}),
			s.PutMiner(ctx, ledger.Miner{Address: common.Address{byte(n)}, Offers: []byte("[]"), Slots: 1}))
	}
	return errors.Join(errs...)
}

// look writes down all that a store says of its jobs and of money.
func look(t testing.TB, s storetest.Store, jobs []common.Hash) string {
	t.Helper()
	var b strings.Builder
	add := func(v any) {
		raw, err := json.Marshal(v)
		must(t, err)
		b.Write(append(raw, '\n'))
	}
	for _, id := range jobs {
		j, err := s.Job(t.Context(), id)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		must(t, err)
		add(j)
	}
	a, err := s.Audit(t.Context())
	must(t, err)
	add(a.Sessions)
	add(a.Miners)
	add(a.Keys)
	if bad := a.Check(); len(bad) > 0 {
		t.Fatalf("the books do not balance: %+v", bad)
	}
	return b.String()
}

// copyTo copies a database with its log as a crash would leave it, the log cut
// where told.
func copyTo(t testing.TB, from string, cut int64, file string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "c.db")
	for _, end := range []string{"", "-wal", "-log.0", "-log.1"} {
		b, err := os.ReadFile(from + end)
		must(t, err)
		if end == file {
			for i := range b[cut:] {
				b[int(cut)+i] ^= 0xff
			}
		}
		must(t, os.WriteFile(to+end, b, 0o600))
	}
	return to
}

func reopened(t testing.TB, path string, jobs []common.Hash) string {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path})
	must(t, err)
	defer s.Close() //nolint:errcheck // only looked at
	return look(t, s, jobs)
}

// After every write, in whatever order they come, the process may die: what was
// acknowledged is there, and what was being written is there whole or not at all.
func TestACrashAtAnyWriteLosesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(ctx, Options{Path: path, flushEvery: time.Hour})
	must(t, err)
	defer s.Close() //nolint:errcheck // a test ends here
	model := storetest.NewMemory()
	key := 0
	must(t, errors.Join(seed(ctx, s), seed(ctx, model), putKey(ctx, s, key, 1500), putKey(ctx, model, key, 1500)))
	dice := rand.New(rand.NewPCG(1, 2))
	var ids []common.Hash
	now := look(t, model, ids)
	pick := func() *ledger.Job {
		j, err := model.Job(ctx, ids[dice.IntN(len(ids))])
		must(t, err)
		return j
	}
	both := func(do func(storetest.Store) error) {
		if a, b := do(s), do(model); (a == nil) != (b == nil) {
			t.Fatalf("%v, want %v", a, b)
		}
	}
	for step := range 120 {
		from := s.log.Used()
		op := dice.IntN(8)
		if len(ids) == 0 {
			op = 0
		}
		switch op {
		case 0, 1, 2:
			session, most, by := uint64(1+dice.IntN(2)), uint64(100+dice.IntN(100)), dice.IntN(2)*(key+1)
			both(func(s storetest.Store) error {
				j := order(session, most)
				if by > 0 {
					j.Key = keyHash(by - 1)
				}
				_, err := s.InsertJob(ctx, j, sign, nil)
				if err == nil && s == model {
					ids = append(ids, j.ID)
				}
				return err
			})
		case 3:
			id, miner := pick().ID, common.Address{byte(1 + dice.IntN(2))}
			both(func(s storetest.Store) error { _, err := s.Assign(ctx, id, miner, "l"); return err })
		case 4, 5:
			j := pick()
			price := uint64(dice.IntN(100))
			both(func(s storetest.Store) error { _, err := s.Complete(ctx, result(j, j.Miner, "l", price)); return err })
		case 6:
			e := ledger.Ending{Job: pick().ID, Anyhow: true, State: market.Canceled, Code: "x", At: 3}
			both(func(s storetest.Store) error { _, err := s.End(ctx, e); return err })
		case 7:
			switch step % 3 {
			case 0:
				both(func(s storetest.Store) error {
					_, err := s.BuildBatch(ctx, ledger.Gathering{Max: 5}, func(*ledger.Plan) common.Hash { return common.Hash{1} })
					return err
				})
			case 1: // its open jobs go on without
				both(func(s storetest.Store) error {
					return errors.Join(s.RemoveKey(ctx, common.Address{9}, keyHash(key), ledger.Event{}), putKey(ctx, s, key+1, 1500))
				})
				key++
			case 2:
				id := pick().ID
				both(func(s storetest.Store) error {
					return errors.Join(s.Requeue(ctx, id, "l", step%2 == 0), s.RequestCancel(ctx, id))
				})
			}
		}
		s.run.Lock()
		g := s.open
		s.run.Unlock()
		must(t, s.await(g)) // a lease, which nobody waits for
		before := now
		now = look(t, model, ids)
		if got := reopened(t, copyTo(t, path, 0, "none"), ids); got != now {
			t.Fatalf("step %d, op %d: after a crash\n%s, want\n%s", step, op, got, now)
		}
		if to := s.log.Used(); to > from && op != 7 {
			torn := from + dice.Int64N(to-from)
			if got := reopened(t, copyTo(t, path, torn, current(s)), ids); got != before {
				t.Fatalf("step %d, op %d: torn at %d of %d to %d\n%s, want\n%s", step, op, torn, from, to, got, before)
			}
		}
	}
}

// current is the file that the log is written to.
func current(s *Store) string {
	if s.log.First() {
		return "-log.0"
	}
	return "-log.1"
}

// victim takes orders, leases and results from many at once, and says what was
// acknowledged, until it is killed.
func victim(ctx context.Context, path string, out io.Writer) error {
	every := time.Hour
	if os.Getenv("AITBC_TEST_FLUSH") != "" {
		every = time.Millisecond
	}
	s, err := Open(ctx, Options{Path: path, flushEvery: every})
	if err != nil {
		return err
	}
	if err := errors.Join(seed(ctx, s), putKey(ctx, s, 0, 1<<40)); err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format, a...)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for n := range 8 {
		wg.Go(func() {
			miner := common.Address{byte(1 + n%2)}
			for {
				j := order(uint64(1+n%2), 100)
				j.Key = keyHash(0)
				if _, err := s.InsertJob(ctx, j, sign, nil); err != nil {
					errs <- err
					return
				}
				say("ordered %s\n", j.ID)
				if _, err := s.Assign(ctx, j.ID, miner, "l"); err != nil {
					errs <- err
					return
				}
				done, err := s.Complete(ctx, result(j, miner, "l", 40))
				if err != nil {
					errs <- err
					return
				}
				say("paid %s %s\n", j.ID, done.Signed.MinerTotal)
			}
		})
	}
	wg.Go(func() {
		for {
			if _, err := s.BuildBatch(ctx, ledger.Gathering{Max: 100}, func(*ledger.Plan) common.Hash { return common.Hash{1} }); err != nil {
				errs <- err
				return
			}
		}
	})
	return <-errs
}

// A process that is killed under load has on the disk all that it acknowledged,
// to the unit, however often.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	acknowledged := map[string]string{} // what was said last of each job
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "AITBC_TEST_VICTIM="+path)
		if round%2 == 1 {
			cmd.Env = append(cmd.Env, "AITBC_TEST_FLUSH=1")
		}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			f := strings.Fields(lines.Text())
			if len(f) < 2 || f[0] == "paid" && len(f) < 3 || len(f[1]) != 66 {
				continue // cut by the kill
			}
			acknowledged[f[1]] = lines.Text()
			if n == 300+100*round {
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		s, err := Open(t.Context(), Options{Path: path})
		must(t, err)
		a, err := s.Audit(t.Context())
		must(t, err)
		if bad := a.Check(); len(bad) > 0 || len(a.Keys) != 1 {
			t.Fatalf("round %d: the books do not balance: %+v", round, bad)
		}
		for id, line := range acknowledged {
			j, err := s.Job(t.Context(), common.HexToHash(id))
			if err != nil {
				t.Fatalf("round %d: %q was acknowledged: %v", round, line, err)
			}
			if f := strings.Fields(line); f[0] == "paid" && (j.Signed == nil || j.Signed.MinerTotal.String() != f[2]) {
				t.Fatalf("round %d: %q was acknowledged, the ledger has %+v", round, line, j.Signed)
			}
		}
		must(t, s.Close())
	}
}

// When the log cannot be written, nothing is acknowledged any more, and what was
// acknowledged before is there.
func TestABrokenDiskIsNotPassedOver(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "c.db")
	s, err := Open(ctx, Options{Path: path, flushEvery: time.Hour})
	must(t, err)
	must(t, seed(ctx, s))
	j := order(1, 100)
	_, err = s.InsertJob(ctx, j, sign, nil)
	must(t, err)
	must(t, s.log.Close())
	for range 2 {
		if _, err := s.InsertJob(ctx, order(1, 100), sign, nil); !errors.Is(err, ledger.ErrUnknown) {
			t.Fatalf("%v", err)
		}
	}
	if err := s.Watch(ctx); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("who watches is told %v", err)
	}
	if x, err := s.Session(ctx, 1); err != nil || x.Account.Reserved != market.Units(100) || x.Number != 1 {
		t.Errorf("what is not on the disk is shown: %+v, %v", x, err)
	}
	_ = s.Close() // the log is closed already
	if s, err = Open(ctx, Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test ends here
	if got, err := s.Job(ctx, j.ID); err != nil || got.State != market.Queued {
		t.Errorf("%+v, %v", got, err)
	}
}

// A database from a backup beside the log of a later time would give numbers out
// twice: it is refused.
func TestHalfABackupIsRefused(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "c.db")
	s, err := Open(ctx, Options{Path: path})
	must(t, err)
	must(t, errors.Join(seed(ctx, s), s.Close()))
	old, err := os.ReadFile(path)
	must(t, err)
	for range 2 {
		s, err = Open(ctx, Options{Path: path, flushEvery: time.Hour})
		must(t, err)
		_, err = s.InsertJob(ctx, order(1, 100), sign, nil)
		must(t, errors.Join(err, s.Close()))
	}
	must(t, os.WriteFile(path, old, 0o600))
	if s, err := Open(ctx, Options{Path: path}); !errors.Is(err, wal.ErrNewer) {
		t.Fatalf("%v, %v", s, err)
	}
}

func TestLookingOnBesideTheOwner(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "c.db")
	s, err := Open(ctx, Options{Path: path})
	must(t, err)
	must(t, seed(ctx, s))
	if _, err := Open(ctx, Options{Path: path}); err == nil {
		t.Fatal("two have the database open")
	}
	beside, err := Open(ctx, Options{Path: path, Beside: true})
	must(t, err)
	if a, err := beside.Audit(ctx); err != nil || len(a.Sessions) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	if err := beside.PutMeta(ctx, "a", "b"); err == nil {
		t.Error("it was written to")
	}
	if _, err := beside.InsertJob(ctx, order(1, 1), sign, nil); err == nil {
		t.Error("it took an order")
	}
	must(t, errors.Join(beside.Close(), s.Close()))
	alone, err := Open(ctx, Options{Path: path, Beside: true})
	must(t, err)
	must(t, errors.Join(alone.PutMeta(ctx, "a", "b"), alone.Close()))
	must(t, alone.Watch(ctx)) // closed, and not broken
}
