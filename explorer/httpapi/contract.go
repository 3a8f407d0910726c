package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/explorer/verify"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/web/origin"
)

// inputMost bounds what a contract is verified with.
const inputMost = 4 << 20

func showContract(c store.Contract) Contract {
	return Contract{Address: c.Address, Name: c.Name, Path: c.Path, Match: c.Match.String(), Compiler: c.Compiler, Time: &c.Time}
}

func (s *Server) contracts(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	from, err := place(r)
	if err != nil {
		return err
	}
	list, err := s.Contracts.Contracts(r.Context(), from.Height, n+1)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, showContract, func(c store.Contract) string { return strconv.FormatUint(c.Seq, 10) })
}

func (s *Server) compilers(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Verifier.Versions(r.Context())
	if err != nil {
		return apierr.Wrap(err, apierr.Unavailable, "the compilers of this explorer cannot be used: its operator looks at --solc and the log")
	}
	httpx.WriteJSON(w, http.StatusOK, Compilers{list})
	return nil
}

// codeOf reads the code of a contract. That there is none is an error.
func (s *Server) codeOf(ctx context.Context, a common.Address) (hexutil.Bytes, error) {
	var code hexutil.Bytes
	if err := s.Eth.Call(ctx, &code, "eth_getCode", a, chainclient.Latest); err != nil {
		return nil, node(err)
	}
	if len(code) == 0 {
		return nil, apierr.New(apierr.NotFound, "there is no contract at this address")
	}
	return code, nil
}

func (s *Server) contract(w http.ResponseWriter, r *http.Request) error {
	a, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	code, err := s.codeOf(r.Context(), a)
	if err != nil {
		return err
	}
	out, err := s.detail(r.Context(), a, code)
	return httpx.Answer(w, out, err)
}

// detail is all that is known of a contract.
func (s *Server) detail(ctx context.Context, a common.Address, code []byte) (ContractDetail, error) {
	null := json.RawMessage(`null`)
	out := ContractDetail{
		Contract: Contract{Address: a}, Bytes: len(code), Hash: crypto.Keccak256Hash(code), ABI: null, Settings: null, Args: null,
		Sources: []Source{}, Libraries: []Library{},
	}
	c, err := s.Contracts.Contract(ctx, a)
	switch known, ours := index.Contracts()[a]; {
	case ours:
		out.Name, out.Match = known.Name, matchNetwork
		artifact, err := contracts.Load(known.Name)
		if err != nil {
			return out, err
		}
		out.ABI = artifact.ABI
	case err == nil && c.Code == out.Hash:
		if err := out.verified(c); err != nil {
			return out, err
		}
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return out, err
	}
	to, proxy, err := s.implementation(ctx, a)
	if err != nil {
		return out, node(err)
	}
	if proxy {
		out.Implementation, err = s.behind(ctx, to)
	}
	return out, err
}

// behind is what is known of a proxy's implementation.
func (s *Server) behind(ctx context.Context, to common.Address) (*Implementation, error) {
	out := &Implementation{Address: to, ABI: json.RawMessage(`null`)}
	for _, p := range contracts.Predeploys {
		if p.Implementation() == to {
			out.Name, out.Match = p.Name, matchNetwork
			return out, nil // its interface is the proxy's
		}
	}
	c, err := s.Contracts.Contract(ctx, to)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	out.Name, out.Match, out.ABI = c.Name, c.Match.String(), c.ABI
	return out, err
}

// verified adds what a contract was verified with.
func (d *ContractDetail) verified(c store.Contract) error {
	d.Contract = showContract(c)
	d.ABI, d.Created = c.ABI, c.Created
	var in struct {
		Sources  map[string]struct{ Content string } `json:"sources"`
		Settings json.RawMessage                     `json:"settings"`
	}
	if err := json.Unmarshal(c.Input, &in); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(in.Sources)) {
		d.Sources = append(d.Sources, Source{path, in.Sources[path].Content})
	}
	// The contract's own file comes first.
	slices.SortStableFunc(d.Sources, func(a, b Source) int {
		switch {
		case a.Path == c.Path:
			return -1
		case b.Path == c.Path:
			return 1
		}
		return 0
	})
	if in.Settings != nil {
		d.Settings = in.Settings
	}
	for _, name := range slices.Sorted(maps.Keys(c.Libraries)) {
		d.Libraries = append(d.Libraries, Library{name, c.Libraries[name]})
	}
	if c.Created {
		d.Arguments = (*hexutil.Bytes)(&c.Arguments)
		if parsed, err := parseABI(c.ABI); err == nil && len(c.Arguments) <= decoded {
			if values, err := index.Unpack(parsed.Constructor.Inputs, c.Arguments); err == nil {
				d.Args = index.Values(parsed.Constructor.Inputs, values)
			}
		}
	}
	return nil
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) error {
	a, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	if err := origin.CheckJSON(r); err != nil {
		return err
	}
	body, err := httpx.ReadBody(w, r, inputMost)
	if err != nil {
		return err
	}
	var req VerifyRequest
	if err := api.Decode(body, &req); err != nil {
		return apierr.Wrap(err, apierr.Invalid, "the body is not an object with input, contract and, if you like, compiler and constructor_arguments")
	}
	if c, ours := index.Contracts()[a]; ours {
		return apierr.New(apierr.Conflict, "this is the network's own %s: its interface is known, and its source is in contracts/ of this program's", c.Name)
	}
	code, err := s.codeOf(r.Context(), a)
	if err != nil {
		return err
	}
	d := verify.Deployed{Address: a, Code: code}
	if d.Creation, err = s.creation(r.Context(), a); err != nil {
		return err
	}
	v := verify.Request{Input: req.Input, Compiler: req.Compiler, Contract: req.Contract}
	if req.Arguments != nil {
		v.Arguments = *req.Arguments
	}
	result, err := s.Verifier.Verify(r.Context(), d, v)
	if err != nil {
		return err
	}
	var input bytes.Buffer
	if err := json.Compact(&input, result.Input); err != nil {
		return err
	}
	result.Input = input.Bytes()
	if _, err := s.Contracts.SaveContract(r.Context(), store.Contract{Result: result, Address: a, Time: time.Now().UTC(), Code: crypto.Keccak256Hash(code)}); err != nil {
		return err
	}
	s.speakers.forget(a)
	out, err := s.detail(r.Context(), a, code)
	return httpx.Answer(w, out, err)
}

// creation is the code that made a contract, with its arguments, or nil if that is
// not known.
func (s *Server) creation(ctx context.Context, a common.Address) ([]byte, error) {
	t, err := s.Contracts.CreationOf(ctx, a)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var raw struct {
		Input hexutil.Bytes `json:"input"`
	}
	if err := s.Comet.Call(ctx, &raw, "get_tx", map[string]any{"hash": t.Hash.Hex()}); err != nil {
		return nil, node(err)
	}
	return raw.Input, nil
}
