// Package secret keeps passphrases and API keys out of logs and out of files
// that others can read.
package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/aitbc/aitbc/internal/atomicfile"
)

const hidden = "[hidden]"

// ErrPermissions reports a secret file that its group or others can use.
var ErrPermissions = errors.New("readable by others: make its mode 0600")

// maxSize bounds a secret file; a larger one is a mistake.
const maxSize = 4096

// Text is a secret that no logger, formatter or encoder shows. Reveal it with
// [Text.Reveal] at the one place that needs it.
type Text struct{ s string }

// New wraps s.
func New(s string) Text { return Text{s} }

// Reveal returns the secret itself.
func (t Text) Reveal() string { return t.s }

// Empty reports whether there is no secret.
func (t Text) Empty() bool { return t.s == "" }

// String hides the secret.
func (Text) String() string { return hidden }

// GoString hides the secret.
func (Text) GoString() string { return hidden }

// LogValue hides the secret.
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret.
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// ReadFile reads a secret from the first line of a file that only its owner
// may use. It returns [ErrPermissions] when others may read or write it.
func ReadFile(path string) (Text, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Text{}, fmt.Errorf("read secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Text{}, fmt.Errorf("secret file %s is %w", path, ErrPermissions)
	}
	if info.Size() > maxSize {
		return Text{}, fmt.Errorf("secret file %s is larger than %d bytes", path, maxSize)
	}
	b, err := os.ReadFile(path) //nolint:gosec // a path from the owner's own settings
	if err != nil {
		return Text{}, fmt.Errorf("read secret: %w", err)
	}
	line, rest, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if strings.TrimSpace(rest) != "" {
		return Text{}, fmt.Errorf("secret file %s has more than one line", path)
	}
	if line == "" {
		return Text{}, fmt.Errorf("secret file %s is empty", path)
	}
	return Text{line}, nil
}

// WriteFile stores a secret with mode 0600, atomically.
func WriteFile(path string, t Text) error {
	return atomicfile.Write(path, []byte(t.s+"\n"), fs.FileMode(0o600))
}
