package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
)

// A usageError reports a command line that cannot be understood.
type usageError struct {
	command string
	what    string
}

func (e *usageError) Error() string { return e.what }

func usagef(command, format string, args ...any) error {
	return &usageError{command, command + ": " + fmt.Sprintf(format, args...)}
}

// A hintedError adds what to do.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

var (
	// errSilentUsage exits with the usage status after something was printed.
	errSilentUsage = errors.New("usage")
	// errInterrupted stands for Ctrl-C.
	errInterrupted = errors.New("interrupted")
)

// fail prints err and returns the exit status.
func fail(w io.Writer, err error) int {
	if errors.Is(err, errSilentUsage) {
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	var lines []string
	for l := range strings.Lines(err.Error()) {
		lines = append(lines, strings.TrimRight(l, "\n"))
	}
	fmt.Fprintf(w, "aitbc: %s\n", strings.Join(lines, "\naitbc: "))
	if h := hintFor(err); h != "" {
		fmt.Fprintf(w, "aitbc: hint: %s\n", h)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// hintFor returns what to do about err: what the command said, else what its kind suggests.
func hintFor(err error) string {
	if e, ok := errors.AsType[*hintedError](err); ok {
		return e.hint
	}
	if e, ok := errors.AsType[*usageError](err); ok {
		return strings.TrimSpace("run aitbc " + strings.TrimSpace(e.command+" --help"))
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "is the network running? aitbc up starts one; AITBC_API_URL, --home and --port-offset say which is asked"
	}
	if errors.Is(err, errInterrupted) {
		return ""
	}
	if advice := predeploy.Advice(err); advice != "" {
		return advice
	}
	if errors.Is(err, predeploy.ErrNotDeployed) {
		return "the network began before there was such a contract, or another chain is asked: AITBC_ETH_RPC_URL, --home and --port-offset say which"
	}
	if e, ok := errors.AsType[*chainclient.RPCError](err); ok && strings.Contains(e.Message, "insufficient funds") {
		return "the account that sends has too little for it and its gas: aitbc balance ADDRESS shows what it has"
	}
	e, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		return ""
	}
	switch e.Code {
	case apierr.ModelNotFound:
		if names := offered(e.Details); len(names) > 0 {
			return "on offer: " + strings.Join(names, ", ")
		}
		return "no miner is online; aitbc miners shows who is there"
	case apierr.Unauthorized:
		return "set AITBC_API_KEY, or run aitbc session open for a new key"
	case apierr.Insufficient:
		return "aitbc account shows what is left; aitbc session topup adds to the deposit, and aitbc session renew opens the next session; aitbc submit --renew does that by itself"
	case apierr.RateLimited, apierr.Unavailable:
		return "try again in a moment"
	case apierr.TooLarge:
		return "send a shorter prompt"
	default:
		return ""
	}
}

// offered reads the model names from the details of a model_not_found error.
func offered(details map[string]any) []string {
	list, _ := details["models"].([]any)
	var names []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			names = append(names, s)
		}
	}
	return names
}
