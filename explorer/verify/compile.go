package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aitbc/aitbc/apierr"
)

// Bounds of what is compiled.
const (
	sourcesMost = 2_000
	nameMost    = 1_000
)

// input is standard JSON as far as it is looked at.
type input struct {
	Language string                     `json:"language"`
	Sources  map[string]source          `json:"sources"`
	Settings map[string]json.RawMessage `json:"settings"`

	path, name string // of the contract; path may be empty
}

type source struct {
	Content *string  `json:"content,omitempty"`
	URLs    []string `json:"urls,omitempty"`
}

// read checks what was handed in.
func read(r Request) (input, error) {
	var in input
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return in, apierr.Wrap(err, apierr.Invalid, "the input is not Solidity's standard JSON: an object with language, sources and settings")
	}
	if in.Language != "Solidity" {
		return in, apierr.New(apierr.Invalid, "the input's language is %.40q: only Solidity is compiled here", in.Language)
	}
	if len(in.Sources) == 0 || len(in.Sources) > sourcesMost {
		return in, apierr.New(apierr.Invalid, "the input has %d sources: from 1 to %d are compiled", len(in.Sources), sourcesMost)
	}
	for path, s := range in.Sources {
		if len(path) > nameMost {
			return in, apierr.New(apierr.Invalid, "a source has a name of %d bytes", len(path))
		}
		if s.Content == nil || len(s.URLs) > 0 {
			return in, apierr.New(apierr.Invalid, "the source %.200q has no content: give every source by its content, none by urls", path)
		}
	}
	in.name = r.Contract
	if at := strings.LastIndexByte(r.Contract, ':'); at >= 0 {
		in.path, in.name = r.Contract[:at], r.Contract[at+1:]
		if _, ok := in.Sources[in.path]; !ok {
			return in, apierr.New(apierr.Invalid, "the input has no source %.200q", in.path)
		}
	}
	if in.name == "" || len(in.name) > nameMost {
		return in, apierr.New(apierr.Invalid, "name the contract as PATH:Name, such as src/Token.sol:Token")
	}
	return in, nil
}

// task is the input as a compiler is given it: with all that changes the code, and
// none of what asks for more work or makes it look elsewhere.
func (in input) task() ([]byte, error) {
	settings := maps.Clone(in.Settings)
	if settings == nil {
		settings = map[string]json.RawMessage{}
	}
	delete(settings, "modelChecker")
	delete(settings, "stopAfter")
	wanted := []string{"abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object", "evm.deployedBytecode.linkReferences", "evm.deployedBytecode.immutableReferences"}
	raw, err := json.Marshal(map[string]any{cmp.Or(in.path, "*"): map[string]any{in.name: wanted}})
	if err != nil {
		return nil, err
	}
	settings["outputSelection"] = raw
	return json.Marshal(map[string]any{"language": in.Language, "sources": in.Sources, "settings": settings})
}

// altered is the same input with another fingerprint of every source.
func (in input) altered() input {
	sources := make(map[string]source, len(in.Sources))
	for path, s := range in.Sources {
		text := *s.Content + "\n//\n"
		sources[path] = source{Content: &text}
	}
	in.Sources = sources
	return in
}

// output is what a compiler answers.
type output struct {
	Errors []struct {
		Severity  string `json:"severity"`
		Formatted string `json:"formattedMessage"`
		Message   string `json:"message"`
	} `json:"errors"`
	Sources   map[string]json.RawMessage     `json:"sources"`
	Contracts map[string]map[string]compiled `json:"contracts"`

	path, name, version string // of the contract that is compared
}

type compiled struct {
	ABI json.RawMessage `json:"abi"`
	EVM struct {
		Creation code `json:"bytecode"`
		Runtime  code `json:"deployedBytecode"`
	} `json:"evm"`
}

type code struct {
	Object     string                       `json:"object"`
	Links      map[string]map[string][]span `json:"linkReferences"`
	Immutables map[string][]span            `json:"immutableReferences"`
}

type span struct {
	Start  int `json:"start"`
	Length int `json:"length"`
}

// compile has a compiler work on an input.
func (c *Compilers) compile(ctx context.Context, with Compiler, in input) (output, error) {
	out := output{name: in.name, version: with.Version}
	task, err := in.task()
	if err != nil {
		return out, err
	}
	raw, err := c.run(ctx, with.Path, "--standard-json", task)
	switch {
	case ctx.Err() != nil:
		return out, ctx.Err()
	case errors.Is(err, errTime):
		return out, apierr.Wrap(err, apierr.Invalid, "the compiler took longer than "+cmp.Or(c.Within, within).String()+", and was stopped: verify it with an explorer of your own")
	case err != nil:
		return out, apierr.Wrap(err, apierr.Unavailable, "the compiler broke off, perhaps for want of memory: the explorer's operator looks at the log")
	}
	// solcjs talks of solvers before it answers.
	for bytes.HasPrefix(raw, []byte(">>>")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, apierr.Wrap(err, apierr.Unavailable, "what --solc names does not answer as solc --standard-json does: the explorer's operator looks at it")
	}
	var said []string
	for _, e := range out.Errors {
		if e.Severity == "error" {
			said = append(said, strings.TrimSpace(cmp.Or(e.Formatted, e.Message)))
		}
	}
	if len(said) > 0 {
		return out, apierr.New(apierr.Invalid, "the compiler %s refuses the source: %.1500s", with.Version, strings.Join(said, "\n"))
	}
	for path := range out.Sources {
		if _, ours := in.Sources[path]; !ours {
			return out, apierr.New(apierr.Invalid, "the source %.200q is not in the input, and was not taken from elsewhere", path)
		}
	}
	return out, out.locate(in)
}

// locate finds the contract of a name.
func (out *output) locate(in input) error {
	var paths []string
	for path, list := range out.Contracts {
		if c := list[in.name]; c.EVM.Runtime.Object != "" && (in.path == "" || in.path == path) {
			paths = append(paths, path)
		}
	}
	switch len(paths) {
	case 1:
		out.path = paths[0]
		return nil
	case 0:
		return apierr.New(apierr.Invalid, "the source makes no code for a contract %.200q: it has none of that name, or an interface or an abstract one", in.name)
	default:
		slices.Sort(paths)
		return apierr.New(apierr.Invalid, "several files have a contract %.200q: name it as PATH:Name, with one of %.500s", in.name, strings.Join(paths, ", "))
	}
}
