package verify

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/apierr"
)

// compare says how well what was compiled explains a contract. It asks for the same,
// compiled with other fingerprints, if it needs to know where they stand.
func compare(d Deployed, r Request, out output, altered func() (output, error)) (Result, error) {
	c := out.Contracts[out.path][out.name]
	res := Result{Path: out.path, Name: out.name, Compiler: out.version, ABI: c.ABI, Input: r.Input, Libraries: map[string]common.Address{}}
	runtime, err := c.EVM.Runtime.bytes()
	if err != nil {
		return res, err
	}
	if err := fill(runtime, c.EVM.Runtime, d, res.Libraries); err != nil {
		return res, err
	}
	body, chain := len(runtime)-ending(runtime).size, len(d.Code)-ending(d.Code).size
	same := bytes.Equal(runtime, d.Code)
	if !same {
		at, err := differs(runtime[:body], d.Code[:chain], altered, func(c compiled) code { return c.EVM.Runtime })
		if err != nil {
			return res, err
		}
		if at >= 0 {
			return res, apierr.New(apierr.Invalid, "the code of %s is not that of this contract: %s", out.name, difference(d.Code[:chain], runtime[:body], at, ending(d.Code).solc, out.version))
		}
	}
	res.Match = Partial
	if same && ending(runtime).hashed {
		res.Match = Full
	}
	if d.Creation == nil {
		if r.Arguments != nil {
			return res, apierr.New(apierr.Invalid, "constructor arguments cannot be compared: this explorer does not have the transaction that made the contract; leave them out")
		}
		return res, nil
	}
	return res, res.creation(d, r, c.EVM.Creation, altered)
}

// creation compares what made the contract.
func (res *Result) creation(d Deployed, r Request, c code, altered func() (output, error)) error {
	made, err := c.bytes()
	if err != nil {
		return err
	}
	if err := link(made, c.Links, d.Creation, res.Libraries); err != nil {
		return err
	}
	if len(d.Creation) < len(made) {
		return apierr.New(apierr.Invalid, "the contract runs what the source says, but was made by other code: its constructor is not this one")
	}
	begin := d.Creation[:len(made)]
	if !bytes.Equal(made, begin) {
		res.Match = Partial
		at, err := differs(made, begin, altered, func(c compiled) code { return c.EVM.Creation })
		if err != nil {
			return err
		}
		if at < 0 {
			return res.arguments(d.Creation[len(made):], r)
		}
		return apierr.New(apierr.Invalid, "the contract runs what the source says, but was made by other code: its constructor is not this one, or settings.metadata differs")
	}
	return res.arguments(d.Creation[len(made):], r)
}

func (res *Result) arguments(rest []byte, r Request) error {
	if r.Arguments != nil && !bytes.Equal(r.Arguments, rest) {
		return apierr.New(apierr.Invalid, "the constructor's arguments were others: %s", short(rest))
	}
	res.Created, res.Arguments = true, bytes.Clone(rest)
	return nil
}

// bytes are the code with nothing in its gaps.
func (c code) bytes() ([]byte, error) {
	text := []byte(c.Object)
	for _, spans := range spansOf(c.Links) {
		for _, s := range spans {
			if s.Start < 0 || s.Length != common.AddressLength || 2*(s.Start+s.Length) > len(text) {
				return nil, apierr.New(apierr.Unavailable, "the compiler links beyond the end of its code")
			}
			copy(text[2*s.Start:], strings.Repeat("0", 2*s.Length))
		}
	}
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return nil, apierr.Wrap(err, apierr.Unavailable, "the compiler's code is not hex")
	}
	return b, nil
}

// spansOf are the places of each library, by PATH:Name.
func spansOf(links map[string]map[string][]span) map[string][]span {
	out := map[string][]span{}
	for path, list := range links {
		for name, spans := range list {
			out[path+":"+name] = spans
		}
	}
	return out
}

// fill puts into the gaps of runtime code what the chain has there: immutable values,
// addresses of libraries, and a library's own.
func fill(runtime []byte, c code, d Deployed, libraries map[string]common.Address) error {
	if err := link(runtime, c.Links, d.Code, libraries); err != nil {
		return err
	}
	for _, spans := range c.Immutables {
		if err := gap(runtime, d.Code, spans, "an immutable value"); err != nil {
			return err
		}
	}
	// A library's code begins with its own address, and refuses calls to itself elsewhere.
	guard := append(append([]byte{0x73}, make([]byte, common.AddressLength)...), 0x30, 0x14)
	if bytes.HasPrefix(runtime, guard) {
		copy(runtime[1:], d.Address[:])
	}
	return nil
}

// link puts addresses of libraries into the gaps, those known already and else the chain's.
func link(code []byte, links map[string]map[string][]span, chain []byte, libraries map[string]common.Address) error {
	all := spansOf(links)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		spans := all[name]
		if err := gap(code, chain, spans, "the address of the library "+name); err != nil {
			return err
		}
		at := common.Address(code[spans[0].Start : spans[0].Start+spans[0].Length])
		if before, ok := libraries[name]; ok && before != at {
			return apierr.New(apierr.Invalid, "the code is not that of this source: it calls the library %.200s at two addresses%s", name, advice)
		}
		libraries[name] = at
	}
	return nil
}

// gap copies what the chain has at some places, at all of which it must be the same.
func gap(code, chain []byte, spans []span, what string) error {
	if len(spans) == 0 {
		return apierr.New(apierr.Unavailable, "the compiler names no place for %.200s", what)
	}
	var value []byte
	for _, s := range spans {
		end := s.Start + s.Length
		if s.Start < 0 || s.Length < 1 || s.Length > common.HashLength || end > len(code) {
			return apierr.New(apierr.Unavailable, "the compiler leaves a gap beyond the end of its code")
		}
		if end > len(chain) {
			return apierr.New(apierr.Invalid, "the code is not that of this source: the contract has %d bytes, and the source makes %d%s", len(chain), len(code), advice)
		}
		if value == nil {
			value = chain[s.Start:end]
		}
		if !bytes.Equal(value, chain[s.Start:end]) {
			return apierr.New(apierr.Invalid, "the code is not that of this source: %.200s would be two different ones%s", what, advice)
		}
		copy(code[s.Start:], value)
	}
	return nil
}

// differs returns where two codes differ, or -1 if they do in nothing but fingerprints
// of sources: a contract that makes others holds theirs. What looks like one is one
// only if it changes with the sources' comments; a constant of the source does not.
func differs(ours, chain []byte, altered func() (output, error), of func(compiled) code) (int, error) {
	places := inside(ours)
	if len(ours) != len(chain) || len(places) == 0 {
		return first(ours, chain), nil
	}
	out, err := altered()
	if err != nil {
		return 0, err
	}
	other, err := of(out.Contracts[out.path][out.name]).bytes()
	if err != nil {
		return 0, err
	}
	if len(other) < len(ours) {
		return first(ours, chain), nil
	}
	ours = bytes.Clone(ours)
	for _, p := range places {
		end := p.Start + p.Length
		there := tailAt(chain[p.Start:end])
		if there.hashed && there.size == p.Length && !bytes.Equal(ours[p.Start:end], other[p.Start:end]) {
			copy(ours[p.Start:end], chain[p.Start:end])
		}
	}
	return first(ours, chain), nil
}

// first is where two byte strings differ first, or -1.
func first(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// advice is what to look at when the code is another.
const advice = ". Compare the contract's name, the compiler's version, optimizer and its runs, viaIR, evmVersion and libraries with those of the deployment"

func difference(chain, ours []byte, at int, by, with string) string {
	var b strings.Builder
	b.WriteString("from byte " + strconv.Itoa(at) + " on")
	part := func(c []byte) string { return short(c[min(at, len(c)):min(at+8, len(c))]) }
	b.WriteString(" the chain has " + part(chain) + " and the source makes " + part(ours))
	if len(chain) != len(ours) {
		b.WriteString("; the lengths are " + strconv.Itoa(len(chain)) + " and " + strconv.Itoa(len(ours)))
	}
	if n, _ := parts(with); by != "" && by != n {
		b.WriteString("; the contract was compiled by " + by + ", this by " + n)
	}
	b.WriteString(advice)
	return b.String()
}

func short(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	return hexutil.Encode(b[:min(len(b), 512)])
}
