package verify

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/apierr"
)

// Compilers are programs that speak as solc --standard-json does.
type Compilers struct {
	Path   string        // a program, or a folder of them; empty: there are none
	Within time.Duration // how long one compilation may take; 0: two minutes
	Memory uint64        // bytes that a compiler may have; 0: 4 GiB

	mu   sync.Mutex
	said map[string]said // what programs said of their versions, guarded by mu
}

// said is what a program said when the file was this one.
type said struct {
	version string
	changed time.Time
	size    int64
}

// Compiler is one program.
type Compiler struct {
	Path    string
	Version string // of its name, or as it says itself: 0.8.30+commit.73712a01
}

var versionText = regexp.MustCompile(`v?(\d+\.\d+\.\d+)((?:-[0-9A-Za-z.]+)?\+commit\.[0-9a-f]{8})?`)

// parts are the number and the commit of a version.
func parts(version string) (number, commit string) {
	m := versionText.FindStringSubmatch(version)
	if m == nil {
		return "", ""
	}
	return m[1], m[2]
}

// List returns the compilers there are, by version, the newest first. A program
// whose name holds no version is asked for it.
func (c *Compilers) List(ctx context.Context) ([]Compiler, error) {
	if c.Path == "" {
		return nil, nil
	}
	info, err := os.Stat(c.Path)
	if err != nil {
		return nil, err
	}
	paths := []string{c.Path}
	if info.IsDir() {
		if paths, err = filepath.Glob(filepath.Join(c.Path, "solc*")); err != nil {
			return nil, err
		}
	}
	var list []Compiler
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		number, commit := parts(filepath.Base(path))
		version := number + commit
		if number == "" {
			if version, err = c.ask(ctx, path); err != nil {
				return nil, err
			}
		}
		list = append(list, Compiler{path, version})
	}
	slices.SortFunc(list, func(a, b Compiler) int { return -compareVersions(a.Version, b.Version) })
	return list, nil
}

// Versions are those of [Compilers.List], each once.
func (c *Compilers) Versions(ctx context.Context) ([]string, error) {
	list, err := c.List(ctx)
	out := []string{}
	for _, v := range list {
		if !slices.Contains(out, v.Version) {
			out = append(out, v.Version)
		}
	}
	return out, err
}

func compareVersions(a, b string) int {
	numbers := func(v string) []string { n, _ := parts(v); return strings.Split(n, ".") }
	return slices.CompareFunc(numbers(a), numbers(b), func(x, y string) int {
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	})
}

// ErrNone reports an explorer without any compiler.
var ErrNone = apierr.New(apierr.Unavailable, "this explorer has no Solidity compiler: its operator installs solc, and starts aitbc explorer with --solc PATH (docs/EXPLORER.md)")

// Find returns the compiler of a version, with the version that it says itself; of
// the only one there is if version is empty.
func (c *Compilers) Find(ctx context.Context, version string) (Compiler, error) {
	list, err := c.List(ctx)
	if err != nil {
		return Compiler{}, apierr.Wrap(err, apierr.Unavailable, "the compilers of this explorer cannot be used: its operator looks at --solc and the log")
	}
	if len(list) == 0 {
		return Compiler{}, ErrNone
	}
	number, commit := parts(version)
	if number == "" {
		if version != "" {
			return Compiler{}, apierr.New(apierr.Invalid, "%.40q is no version of a compiler: write it as 0.8.30 or 0.8.30+commit.73712a01", version)
		}
		if len(list) > 1 {
			return Compiler{}, apierr.New(apierr.Invalid, "the code does not say what compiled it: name the compiler's version, one of %s", names(list))
		}
		number, _ = parts(list[0].Version)
	}
	for _, one := range list {
		if n, _ := parts(one.Version); n != number {
			continue
		}
		says, err := c.ask(ctx, one.Path)
		if err != nil {
			return Compiler{}, apierr.Wrap(err, apierr.Unavailable, "the compiler "+number+" of this explorer does not run: its operator looks at the log")
		}
		if n, have := parts(says); n == number && (commit == "" || commit == have) {
			return Compiler{one.Path, says}, nil
		}
	}
	return Compiler{}, apierr.New(apierr.Invalid, "this explorer does not have the compiler %s, but %s: its operator can add it to the folder of --solc", number+commit, names(list))
}

func names(list []Compiler) string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = one.Version
	}
	if len(all) > 20 {
		all = append(all[:20], "…")
	}
	return strings.Join(slices.Compact(all), ", ")
}

// ask has a program say its version.
func (c *Compilers) ask(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	known, ok := c.said[path]
	c.mu.Unlock()
	if ok && known.changed.Equal(info.ModTime()) && known.size == info.Size() {
		return known.version, nil
	}
	out, err := c.run(ctx, path, "--version", nil)
	if err != nil {
		return "", err
	}
	m := versionText.FindSubmatch(bytes.TrimSpace(out))
	if m == nil {
		return "", errors.New(path + " --version says no version")
	}
	version := string(m[1]) + string(m[2])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said == nil {
		c.said = map[string]said{}
	}
	c.said[path] = said{version, info.ModTime(), info.Size()}
	return version, nil
}
