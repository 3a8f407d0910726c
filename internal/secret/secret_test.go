package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/internal/secret"
)

func TestNothingShowsIt(t *testing.T) {
	t.Parallel()
	const planted = "correct horse"
	s := secret.New(planted)
	wrapped := struct{ Key secret.Text }{s}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "a", s, "b", wrapped)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "a", s, "b", wrapped)
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x", s, wrapped, wrapped, s, s, s)
	if err := json.NewEncoder(&out).Encode(wrapped); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), planted) || strings.Contains(out.String(), fmt.Sprintf("%x", planted)) {
		t.Fatalf("shown: %s", out.String())
	}
}

func TestFileRoundTrip(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "k")
	if err := secret.WriteFile(p, secret.New("a b ")); err != nil {
		t.Fatal(err)
	}
	got, err := secret.ReadFile(p)
	if err != nil || got.Reveal() != "a b " {
		t.Fatalf("got %q, %v", got.Reveal(), err)
	}
}

func TestReadFileRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want error
	}{
		"group":  {"x", 0o640, secret.ErrPermissions},
		"others": {"x", 0o604, secret.ErrPermissions},
		"empty":  {"\n", 0o600, nil},
		"lines":  {"a\nb\n", 0o600, nil},
		"large":  {strings.Repeat("x", 5000), 0o600, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := filepath.Join(t.TempDir(), "k")
			if err := os.WriteFile(p, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(p, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := secret.ReadFile(p)
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Fatalf("err = %v", err)
			}
		})
	}
}
