package httpapi

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/explorer/bech32"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/httpx"
)

// search tells what a text may mean. Heights, hashes and numbers are looked for
// in the index alone; names among the validators.
func (s *Server) search(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if q == "" || utf8.RuneCountInString(q) > 100 {
		return apierr.New(apierr.Invalid, "q is empty or longer than 100 characters")
	}
	out := Results{Items: []Found{}}
	var err error
	switch {
	case len(q) == 66 && strings.HasPrefix(q, "0x"):
		out.Items, err = s.searchHash(r.Context(), q)
	case len(q) == 64 && isHex(q):
		out.Items, err = s.searchHash(r.Context(), "0x"+q)
	case strings.Trim(q, "0123456789") == "":
		out.Items, err = s.searchNumber(r.Context(), q)
	default:
		a, wrong := addressOf(q)
		if wrong == nil {
			out.Items = []Found{{"address", a.Hex(), "/address/" + a.Hex(), bech32.Encode(a)}}
		} else if strings.HasPrefix(strings.ToLower(q), bech32.Prefix+"1") {
			return wrong
		} else {
			out.Items, err = s.searchName(r.Context(), q)
		}
	}
	return httpx.Answer(w, out, err)
}

func isHex(s string) bool { return strings.Trim(strings.ToLower(s), "0123456789abcdef") == "" }

func (s *Server) searchHash(ctx context.Context, text string) ([]Found, error) {
	h, err := hashOf(text, "q")
	if err != nil {
		return nil, err
	}
	t, err := s.Index.Tx(ctx, h)
	if err == nil {
		return []Found{{"transaction", h.Hex(), "/tx/" + h.Hex(), "in block " + strconv.FormatUint(t.Height, 10)}}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	b, err := s.Index.BlockByHash(ctx, h)
	if err == nil {
		at := strconv.FormatUint(b.Height, 10)
		return []Found{{"block", at, "/block/" + at, "block " + at}}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	root, err := s.Index.EventsAbout(ctx, index.Subject{Kind: index.KindRoot, Key: string(h[:])}, store.Newest, 1)
	if err != nil {
		return nil, err
	}
	if len(root) > 0 && root[0].TxHash != nil {
		return []Found{{"transaction", root[0].TxHash.Hex(), "/tx/" + root[0].TxHash.Hex(), "settlement of a batch with this root"}}, nil
	}
	known, err := s.Index.Known(ctx, index.Subject{Kind: index.KindReceipt, Key: string(h[:])})
	if err != nil {
		return nil, err
	}
	if known {
		return []Found{{"receipt", h.Hex(), "/job/" + h.Hex(), "digest of a receipt that a contract named"}}, nil
	}
	// Jobs and receipts of sessions are known to their client and miner alone.
	return []Found{{"job", h.Hex(), "/job/" + h.Hex(), "perhaps a job or its receipt: the page asks the coordinator with your key"}}, nil
}

func (s *Server) searchNumber(ctx context.Context, text string) ([]Found, error) {
	list := []Found{}
	n, err := strconv.ParseUint(text, 10, 63)
	if err == nil {
		b, err := s.Index.Block(ctx, n)
		if err == nil {
			list = append(list, Found{"block", text, "/block/" + text, b.Hash.Hex()})
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		key := string(binary.BigEndian.AppendUint64(nil, n))
		for _, k := range []struct {
			kind index.Kind
			name string
			path string
		}{{index.KindSession, "session", "/session/"}, {index.KindJob, "job", "/direct/"}} {
			known, err := s.Index.Known(ctx, index.Subject{Kind: k.kind, Key: key})
			if err != nil {
				return nil, err
			}
			if known {
				list = append(list, Found{k.name, text, k.path + text, k.name + " " + text})
			}
		}
		release, err := s.busy.Claim(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		ctx, cancel := context.WithTimeout(ctx, nodeWithin)
		defer cancel()
		// A node that does not answer now hides its proposals, and no block.
		if count, err := predeploy.NewGovernor(s.Eth).Count(ctx, chainclient.Latest); err == nil && n > 0 && n <= count {
			list = append(list, Found{"proposal", text, "/proposals", "proposal " + text})
		}
	}
	return list, nil
}

func (s *Server) searchName(ctx context.Context, text string) ([]Found, error) {
	list := []Found{}
	want := strings.ToLower(text)
	for a, c := range index.Contracts() {
		if strings.EqualFold(c.Name, text) {
			list = append(list, Found{"address", a.Hex(), "/address/" + a.Hex(), c.Name})
		}
	}
	release, err := s.busy.Claim(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	validators, err := predeploy.NewStaking(s.Eth).Validators(ctx, chainclient.Latest)
	if err != nil {
		return nil, node(err)
	}
	for _, v := range validators {
		if strings.Contains(strings.ToLower(v.Moniker), want) {
			list = append(list, Found{"validator", v.Operator.Hex(), "/address/" + v.Operator.Hex(), v.Moniker})
		}
	}
	return list, nil
}
