package library

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoRegistry says that nobody tells which npm registry to use.
var ErrNoRegistry = errors.New("no npm registry is known on this machine")

// npmWithin is how long npm may take to tell its registry.
const npmWithin = 20 * time.Second

// Registry returns the URL of the npm registry that this machine uses, as the environment,
// the user's .npmrc or npm itself says, or [ErrNoRegistry].
func Registry(ctx context.Context, getenv func(string) string) (string, error) {
	if url := cmp.Or(getenv("npm_config_registry"), getenv("NPM_CONFIG_REGISTRY")); url != "" {
		return url, nil
	}
	if home := getenv("HOME"); home != "" {
		if raw, err := os.ReadFile(filepath.Join(home, ".npmrc")); err == nil { //nolint:gosec // npm's own file
			if url := registryIn(raw); url != "" {
				return url, nil
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, npmWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "config", "get", "registry").Output()
	if url := strings.TrimSpace(string(out)); err == nil && strings.HasPrefix(url, "http") {
		return url, nil
	}
	return "", ErrNoRegistry
}

// registryIn finds the registry of the packages, else the one of all, in an .npmrc.
func registryIn(npmrc []byte) string {
	found := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(npmrc)); s.Scan(); {
		key, value, ok := strings.Cut(s.Text(), "=")
		if ok {
			found[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return cmp.Or(found["@node-llama-cpp:registry"], found["registry"])
}
