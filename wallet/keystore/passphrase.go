package keystore

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/aitbc/aitbc/internal/secret"
)

// PassphraseFileVariable names the environment variable that holds the path of
// a passphrase file: never the passphrase, as others can read an environment.
const PassphraseFileVariable = "AITBC_PASSPHRASE_FILE"

// ErrNoPassphrase reports that there is neither a file nor a terminal to ask.
var ErrNoPassphrase = errors.New("no passphrase: set " + PassphraseFileVariable + " to a file of mode 0600, or run in a terminal")

// A PassphraseSource is where a passphrase comes from: the file, else the file
// that the environment names, else the terminal.
type PassphraseSource struct {
	File    string
	Env     func(string) string // may be nil
	In      *os.File            // the terminal, often os.Stdin; may be nil
	Out     io.Writer           // where to ask
	Confirm bool                // ask twice, for a new key
}

// Passphrase returns a passphrase. It returns [ErrNoPassphrase], or
// [ErrPermissions] for a file that others can read.
func Passphrase(src PassphraseSource) (secret.Text, error) {
	path := src.File
	if path == "" && src.Env != nil {
		path = src.Env(PassphraseFileVariable)
	}
	if path != "" {
		return secret.ReadFile(path)
	}
	if src.In == nil || !term.IsTerminal(int(src.In.Fd())) {
		return secret.Text{}, ErrNoPassphrase
	}
	first, err := ask(src, "Passphrase: ")
	if err != nil || !src.Confirm {
		return first, err
	}
	again, err := ask(src, "Again: ")
	if err != nil {
		return secret.Text{}, err
	}
	if subtle.ConstantTimeCompare([]byte(first.Reveal()), []byte(again.Reveal())) != 1 {
		return secret.Text{}, errors.New("the passphrases differ")
	}
	return first, nil
}

func ask(src PassphraseSource, prompt string) (secret.Text, error) {
	fmt.Fprint(src.Out, prompt)
	b, err := term.ReadPassword(int(src.In.Fd()))
	fmt.Fprintln(src.Out)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read passphrase: %w", err)
	}
	return secret.New(string(b)), nil
}
