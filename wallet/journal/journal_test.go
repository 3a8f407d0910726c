package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/wallet/journal"
)

type record struct {
	What string `json:"what"`
}

// filled returns a journal's path with n records, and its bytes.
func filled(t testing.TB, n int) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	j, err := journal.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if e, err := j.Append(record{"<" + strconv.Itoa(i) + ">"}); err != nil || e.N != uint64(i+1) || j.Head().Hash != e.Hash {
			t.Fatal(e, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, b
}

func count(path string) (n int, err error) {
	_, err = journal.Verify(path, func(journal.Entry) error { n++; return nil })
	return n, err
}

func TestRecordsComeBackInOrder(t *testing.T) {
	t.Parallel()
	path, _ := filled(t, 3)
	var got []string
	j, err := journal.Open(path, func(e journal.Entry) error { got = append(got, string(e.Record)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || !strings.Contains(got[2], "2") {
		t.Errorf("%v", got)
	}
	if _, err := j.Append(record{"more"}); err != nil {
		t.Fatal(err)
	}
	if h, err := journal.Verify(path, nil); err != nil || h != j.Head() || h.N != 4 {
		t.Errorf("%v, %v", h, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(record{"late"}); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("after Close: %v", err)
	}
	if h, err := journal.Verify(path+"none", nil); err != nil || h != (journal.Head{}) {
		t.Errorf("no file: %v, %v", h, err)
	}
}

// A crash in the middle of a record leaves those before, whole.
func TestATornRecordIsCutOff(t *testing.T) {
	t.Parallel()
	path, whole := filled(t, 3)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	two := len(lines[0]) + len(lines[1])
	for n := two; n < len(whole); n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := count(path); err != nil || got != 2 {
			t.Fatalf("cut at %d: %d records, %v", n, got, err)
		}
		j, err := journal.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(record{"again"}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := count(path); err != nil || got != 3 {
			t.Fatalf("cut at %d and written again: %d records, %v", n, got, err)
		}
	}
}

func TestChangedJournalsAreBroken(t *testing.T) {
	t.Parallel()
	path, whole := filled(t, 4)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	for name, b := range map[string][]byte{
		"a word":             bytes.Replace(whole, []byte("1"), []byte("7"), 1),
		"a record gone":      join(lines[0], lines[2], lines[3]),
		"the first gone":     join(lines[1], lines[2], lines[3]),
		"an order":           join(lines[0], lines[2], lines[1], lines[3]),
		"one twice":          join(lines[0], lines[0], lines[1]),
		"something unknown":  bytes.Replace(whole, []byte(`{"n":1`), []byte(`{"x":1,"n":1`), 1),
		"an empty line":      append([]byte("\n"), whole...),
		"a line of no limit": append(bytes.Repeat([]byte("x"), 2<<20), whole...),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := count(path); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: Verify = %v", name, err)
		}
		if _, err := journal.Open(path, nil); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	_, whole := filled(f, 2)
	f.Add(whole)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := count(path)
		if err != nil {
			return
		}
		j, err := journal.Open(path, nil)
		if err != nil || j.Head().N != uint64(n) {
			t.Fatalf("Verify found %d, Open %v, %v", n, j, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
