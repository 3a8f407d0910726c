package home_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aitbc/aitbc/internal/home"
)

func TestResolveOrder(t *testing.T) {
	t.Parallel()
	env := map[string]string{}
	get := func(k string) string { return env[k] }
	if _, err := home.Resolve("", get); err == nil {
		t.Error("found a home out of nothing")
	}
	for _, c := range []struct{ key, value, flag, want string }{
		{"HOME", "/u", "", "/u/.aitbc"},
		{"AITBC_HOME", "/env", "", "/env"},
		{"", "", "/flag", "/flag"},
	} {
		env[c.key] = c.value
		if got, err := home.Resolve(c.flag, get); err != nil || string(got) != c.want {
			t.Errorf("Resolve = %s, %v, want %s", got, err, c.want)
		}
	}
}

func TestMakeIsPrivate(t *testing.T) {
	t.Parallel()
	d := filepath.Join(t.TempDir(), "a", "b")
	if err := home.Make(d); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
}

func TestLoopbackPorts(t *testing.T) {
	t.Parallel()
	if got, err := home.Loopback(home.PortMiner, 100); err != nil || got != "127.0.0.1:18101" {
		t.Errorf("%s, %v", got, err)
	}
	for _, offset := range []int{-1, 60000} {
		if _, err := home.Loopback(home.PortMiner, offset); err == nil {
			t.Errorf("offset %d taken", offset)
		}
	}
}
