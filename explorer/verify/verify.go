// Package verify tells whether source code is that of a contract: it has a
// compiler, a program that the operator installed, compile the source, and
// compares what comes out with the code that is on the chain.
package verify

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
)

// Match is how much of a contract's code a source explains. The numbers are in the store.
type Match int

// The kinds of matches, the better the larger.
const (
	// Partial: the code does what the source says. Comments, names of variables and of
	// files may be others than those that the contract was compiled from.
	Partial Match = iota + 1
	// Full: the code's own fingerprint is that of these very files and settings.
	Full
)

// String is "partial" or "full".
func (m Match) String() string {
	switch m {
	case Partial:
		return "partial"
	case Full:
		return "full"
	default:
		return ""
	}
}

// Request is what somebody says a contract was made from.
type Request struct {
	Input    json.RawMessage // Solidity's standard JSON
	Compiler string          // version, with or without its commit; empty: the one that the code names, or the only one
	Contract string          // PATH:Name, or Name where one file alone has it
	// Arguments of the constructor, encoded. Nil: whatever they were.
	Arguments []byte
}

// Deployed is a contract as the chain has it.
type Deployed struct {
	Address  common.Address
	Code     []byte
	Creation []byte // what made it, with the constructor's arguments; nil: another contract did, or nobody knows
}

// Result says that a source is a contract's.
type Result struct {
	Match    Match
	Path     string // file of the contract
	Name     string
	Compiler string // version with its commit
	ABI      json.RawMessage
	Input    json.RawMessage // the request's
	// Created: the code that made the contract was compared too, and Arguments followed it.
	Created   bool
	Arguments []byte
	Libraries map[string]common.Address // PATH:Name of each that the code calls, as linked on the chain
}

// Bounds of one compilation, unless [Compilers] say otherwise.
const (
	within     = 2 * time.Minute
	memoryMost = 4 << 30
	outputMost = 64 << 20
	patience   = 10 * time.Second
)

// Verifier verifies, one contract at a time: a compiler takes what it gets. Use [New].
type Verifier struct {
	Compilers
	Patience time.Duration // how long one request waits for another's compilation
	turn     chan struct{}
}

// New returns a verifier with the compilers at a path: one program, a folder of
// programs whose names begin with solc, or, if it is empty, none.
func New(path string) *Verifier {
	return &Verifier{Compilers: Compilers{Path: path}, Patience: patience, turn: make(chan struct{}, 1)}
}

// Verify compares a contract with a source. What does not fit is an apierr.Error
// that says what differs.
func (v *Verifier) Verify(ctx context.Context, d Deployed, r Request) (Result, error) {
	if len(d.Code) == 0 {
		return Result{}, apierr.New(apierr.NotFound, "there is no contract at this address")
	}
	if len(d.Code) == 23 && d.Code[0] == 0xef {
		return Result{}, apierr.New(apierr.Invalid, "this is an account that runs another contract's code: verify that contract")
	}
	in, err := read(r)
	if err != nil {
		return Result{}, err
	}
	version := r.Compiler
	if version == "" {
		version = ending(d.Code).solc
	}
	compiler, err := v.Find(ctx, version)
	if err != nil {
		return Result{}, err
	}
	release, err := v.claim(ctx)
	if err != nil {
		return Result{}, err
	}
	defer release()
	out, err := v.compile(ctx, compiler, in)
	if err != nil {
		return Result{}, err
	}
	return compare(d, r, out, sync.OnceValues(func() (output, error) { return v.compile(ctx, compiler, in.altered()) }))
}

func (v *Verifier) claim(ctx context.Context) (release func(), err error) {
	late := time.NewTimer(v.Patience)
	defer late.Stop()
	select {
	case v.turn <- struct{}{}:
		return func() { <-v.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, apierr.New(apierr.Unavailable, "another contract is being compiled: try again in a minute")
	}
}
