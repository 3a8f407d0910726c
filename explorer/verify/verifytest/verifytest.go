// Package verifytest has a few contracts with what a compiler makes of them, and a
// program that stands in for the compiler: it answers what was recorded.
package verifytest

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
)

// What the recorded compiler is, and the source that it was given.
const (
	Version = "0.8.37+commit.f401782d"
	Path    = "src/<b>Counter</b>.sol"
)

// Planted is text of the source that must never be markup on a page.
const Planted = `<script>alert("planted")</script>`

//go:embed testdata/input.json
var input []byte

//go:embed testdata/output.json
var output []byte

// Input is the source as standard JSON.
func Input() json.RawMessage { return input }

// Output is what the compiler answered.
func Output() []byte { return output }

// Program writes a program of a name into a folder: it answers --version, and
// everything else with a body of shell.
func Program(t testing.TB, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	script := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Version: %s.Linux.g++'; exit; fi\n%s\n", Version, body)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return path
}

// fingerprint is that of a source within code, in hex.
var fingerprint = regexp.MustCompile(`64697066735822[0-9a-f]{68}`)

// Compiler writes a program that answers as the compiler did.
func Compiler(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	other := fingerprint.ReplaceAllFunc(output, func(f []byte) []byte {
		f = bytes.Clone(f)
		copy(f[len(f)-8:], "0a17e4ed")
		return f
	})
	for name, answer := range map[string][]byte{"output.json": output, "altered.json": other} {
		if err := os.WriteFile(filepath.Join(dir, name), answer, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// An empty comment behind each source is what changes fingerprints and nothing else.
	return Program(t, dir, "solc", "echo '>>> a line before the answer'\nif grep -qF '\\n//\\n\"'; then cat '"+dir+"/altered.json'; else cat '"+dir+"/output.json'; fi")
}

// Contract is what the compiler made of one contract.
type Contract struct {
	ABI json.RawMessage `json:"abi"`
	EVM struct {
		Creation Code `json:"bytecode"`
		Runtime  Code `json:"deployedBytecode"`
	} `json:"evm"`
}

// Code is code with gaps.
type Code struct {
	Object     string                       `json:"object"`
	Links      map[string]map[string][]Span `json:"linkReferences"`
	Immutables map[string][]Span            `json:"immutableReferences"`
}

// Span is where a gap is.
type Span struct{ Start, Length int }

// Load returns one of Sums, Counter, Maker and Proxy.
func Load(t testing.TB, name string) Contract {
	t.Helper()
	var out struct {
		Contracts map[string]map[string]Contract
	}
	if err := json.Unmarshal(output, &out); err != nil {
		t.Fatal(err)
	}
	c, ok := out.Contracts[Path][name]
	if !ok {
		t.Fatalf("there is no contract %s", name)
	}
	return c
}

// Linked is the code with a library's address, and the number of each immutable as its value.
func (c Code) Linked(t testing.TB, library common.Address) []byte {
	t.Helper()
	text := c.Object
	for _, list := range c.Links {
		for _, spans := range list {
			for _, s := range spans {
				text = text[:2*s.Start] + hex.EncodeToString(library[:]) + text[2*(s.Start+s.Length):]
			}
		}
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for id, spans := range c.Immutables {
		var n uint64
		if _, err := fmt.Sscan(strings.TrimSpace(id), &n); err != nil {
			t.Fatal(err)
		}
		for _, s := range spans {
			binary.BigEndian.PutUint64(b[s.Start+s.Length-8:], n)
		}
	}
	return b
}
