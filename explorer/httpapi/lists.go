package httpapi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"net/http"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
)

func showBlock(b store.Block) Block {
	return Block(b)
}

// showing returns how transactions of a list are shown, with the names of what they
// called of contracts that are the network's or verified.
func (s *Server) showing(ctx context.Context, list []store.Tx) (func(store.Tx) Tx, error) {
	to := make([]common.Address, 0, len(list))
	for _, t := range list {
		if t.To != nil && len(t.Method) == 4 {
			to = append(to, *t.To)
		}
	}
	known, err := s.interfaces(ctx, to)
	return func(t store.Tx) Tx { return showTx(t, known) }, err
}

func showTx(t store.Tx, known map[common.Address]spoken) Tx {
	return Tx{
		Hash: t.Hash, Height: t.Height, Index: t.Index, Time: t.Time, From: t.From, To: t.To, Created: t.Created, Value: t.Value,
		Method: methodName(t.To, t.Method, known), OK: t.OK, Nonce: t.Nonce, GasLimit: t.GasLimit, GasUsed: t.GasUsed, Fee: t.Fee, Burned: t.Burned,
	}
}

// methodName names what a transaction called, or shows its selector.
func methodName(to *common.Address, selector []byte, known map[common.Address]spoken) string {
	switch {
	case to == nil:
		return "create contract"
	case len(selector) == 0:
		return "transfer"
	}
	if c, ok := known[*to]; ok && len(selector) == 4 {
		if m, err := c.ABI.MethodById(selector); err == nil {
			return m.RawName
		}
	}
	return "0x" + hex.EncodeToString(selector)
}

func showEvent(e store.Event) Event {
	return Event{
		Height: e.Height, Seq: e.Seq, Time: e.Time, Tx: e.TxHash, TxIndex: e.Tx, Log: e.Log, Call: e.Call, Contract: e.Contract, Name: e.Name, Args: e.Args,
	}
}

func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

// paged answers with a page of a list that was asked for one more than limit of.
func paged[T, U any](w http.ResponseWriter, r *http.Request, list []T, limit int, show func(T) U, at func(T) string) error {
	var p Page[U]
	if len(list) > limit {
		list = list[:limit]
		p.Next = at(list[limit-1])
	}
	p.Items = each(list, show)
	return writePage(w, r, p)
}

func (s *Server) blocks(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	from, err := place(r)
	if err != nil {
		return err
	}
	list, err := s.Index.Blocks(r.Context(), from.Height, n+1)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, showBlock, func(b store.Block) string { return next(b.Height, 0) })
}

func atTx(t store.Tx) string { return next(t.Height, t.Index) }

func (s *Server) txs(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	from, err := place(r)
	if err != nil {
		return err
	}
	list, err := s.Index.Txs(r.Context(), from, n+1)
	if err != nil {
		return err
	}
	show, err := s.showing(r.Context(), list)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, show, atTx)
}

func (s *Server) addressTxs(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	from, err := place(r)
	if err != nil {
		return err
	}
	a, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	list, err := s.Index.TxsBy(r.Context(), a, from, n+1)
	if err != nil {
		return err
	}
	show, err := s.showing(r.Context(), list)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, show, atTx)
}

func (s *Server) blockTxs(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	b, err := s.findBlock(r)
	if err != nil {
		return err
	}
	var from uint64
	if text := r.URL.Query().Get("from"); text != "" {
		if from, err = number(text, "from"); err != nil {
			return err
		}
	}
	list, err := s.Index.TxsOf(r.Context(), b.Height, int(min(from, 1<<31)), n+1)
	if err != nil {
		return err
	}
	show, err := s.showing(r.Context(), list)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, show, func(t store.Tx) string { return big.NewInt(int64(t.Index) + 1).String() })
}

// subject reads the one thing that events are asked about.
func subject(r *http.Request) (index.Subject, error) {
	var out []index.Subject
	add := func(k index.Kind, key []byte) { out = append(out, index.Subject{Kind: k, Key: string(key)}) }
	q := r.URL.Query()
	for _, kind := range []struct {
		name string
		kind index.Kind
	}{{"session", index.KindSession}, {"job", index.KindJob}} {
		if text := q.Get(kind.name); text != "" {
			n, err := number(text, kind.name)
			if err != nil {
				return index.Subject{}, err
			}
			add(kind.kind, binary.BigEndian.AppendUint64(nil, n))
		}
	}
	for _, kind := range []struct {
		name string
		kind index.Kind
	}{{"receipt", index.KindReceipt}, {"root", index.KindRoot}} {
		if text := q.Get(kind.name); text != "" {
			h, err := hashOf(text, kind.name)
			if err != nil {
				return index.Subject{}, err
			}
			add(kind.kind, h[:])
		}
	}
	if text := q.Get("address"); text != "" {
		a, err := addressOf(text)
		if err != nil {
			return index.Subject{}, err
		}
		add(index.KindAddress, a[:])
	}
	if text := q.Get("proposal"); text != "" {
		n, ok := new(big.Int).SetString(text, 10)
		if !ok || n.Sign() < 0 || n.BitLen() > 256 {
			return index.Subject{}, apierr.New(apierr.Invalid, "proposal is not the id of one, in decimal")
		}
		add(index.KindProposal, n.FillBytes(make([]byte, 32)))
	}
	if text := q.Get("name"); text != "" {
		if contract, name, ok := strings.Cut(text, "."); !ok || contract == "" || name == "" {
			return index.Subject{}, apierr.New(apierr.Invalid, "name is not as Market.Settled")
		}
		add(index.KindName, []byte(text))
	}
	if len(out) != 1 {
		return index.Subject{}, apierr.New(apierr.Invalid, "give one of name, address, session, job, receipt, proposal and root")
	}
	return out[0], nil
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	from, err := place(r)
	if err != nil {
		return err
	}
	of, err := subject(r)
	if err != nil {
		return err
	}
	list, err := s.Index.EventsAbout(r.Context(), of, from, n+1)
	if err != nil {
		return err
	}
	return paged(w, r, list, n, showEvent, func(e store.Event) string { return next(e.Height, e.Seq) })
}
