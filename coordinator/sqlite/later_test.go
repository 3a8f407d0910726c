package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

// unhurried is a store that comes to its database only where it must, and its path.
func unhurried(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), Options{Path: path, flushEvery: time.Hour})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, seed(t.Context(), s))
	return s, path
}

// An order that nobody waits for is taken while the disk is busy; who asks for it
// waits until it is there, and what is done to it comes after it.
func TestAnOrderThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, path := unhurried(t)
	s.writing <- struct{}{} // nothing comes to the disk
	j := order(1, 100)
	_, err := s.InsertJob(ctx, j, sign, func() bool { return false })
	must(t, err)
	if x, err := s.Session(ctx, 1); err != nil || x.Number != 0 {
		t.Errorf("what is not on the disk is shown: %+v, %v", x, err)
	}
	asked := make(chan *ledger.Job, 1)
	go func() {
		got, err := s.Job(ctx, j.ID)
		if err != nil {
			t.Error(err)
		}
		asked <- got
	}()
	select {
	case got := <-asked:
		t.Errorf("shown before it is on the disk: %+v", got)
	case <-time.After(4 * linger): // nor does it come by itself
	}
	<-s.writing
	if got := <-asked; got == nil || got.Number != 1 {
		t.Errorf("%+v", got)
	}

	second := order(1, 100)
	_, err = s.InsertJob(ctx, second, sign, func() bool { return false })
	must(t, err)
	_, err = s.Assign(ctx, second.ID, common.Address{1}, "m")
	must(t, err)
	_, err = s.Complete(ctx, result(second, common.Address{1}, "m", 40))
	must(t, err)
	all := []common.Hash{j.ID, second.ID}
	if now, then := look(t, s, all), reopened(t, copyTo(t, path, 0, "none"), all); now != then {
		t.Errorf("after a crash\n%s\nbefore\n%s", then, now)
	}
}

// What fails in a transaction of its own is undone whole, and what the log had for
// the database comes there with the next.
func TestWhatFailsAloneIsUndone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := unhurried(t)
	j := order(1, 100)
	_, err := s.InsertJob(ctx, j, sign, nil)
	must(t, err)
	bad := errors.New("bad")
	err = s.do(ctx, func(tx *txn) error {
		if _, err := tx.Exec("INSERT INTO meta (key, value) VALUES ('half', 'done')"); err != nil {
			return err
		}
		return bad
	})
	if !errors.Is(err, bad) || !s.behind() {
		t.Fatalf("%v, behind: %v", err, s.behind())
	}
	if half, err := s.Meta(ctx, "half"); err != nil || half != "" {
		t.Errorf("%q, %v", half, err)
	}
	if all, err := s.Jobs(ctx, j.Client, 1, 10); err != nil || len(all) != 1 || all[0].ID != j.ID || s.behind() {
		t.Errorf("%+v, %v", all, err)
	}
}

// What does not need the log leaves it alone: jobs that are only there are not
// overwritten because something else came into the database.
func TestTheLogIsKeptBesideWhatDoesNotNeedIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, path := unhurried(t)
	var jobs []common.Hash
	put := func() {
		j := order(1, 100)
		_, err := s.InsertJob(ctx, j, sign, nil)
		must(t, err)
		jobs = append(jobs, j.ID)
	}
	put()
	must(t, s.catchUp(ctx))
	put() // in the log's second file
	bad := errors.New("bad")
	if err := s.do(ctx, func(*txn) error { return bad }); !errors.Is(err, bad) {
		t.Fatal(err)
	}
	must(t, s.SetCredited(ctx, common.Address{1}, market.Units(3)))
	if s.spare || !s.behind() {
		t.Errorf("the second file may be overwritten: %v; behind: %v", s.spare, s.behind())
	}
	put() // in the first file
	must(t, s.SetCredited(ctx, common.Address{1}, market.Units(4)))
	copied := copyTo(t, path, 0, "none")
	if now, then := look(t, s, jobs), reopened(t, copied, jobs); now != then {
		t.Errorf("after a crash\n%s\nbefore\n%s", then, now)
	}
	if !s.spare || s.behind() {
		t.Errorf("looking brings the database up to date: %v, %v", s.spare, s.behind())
	}
}
