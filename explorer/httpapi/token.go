package httpapi

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
)

// Selectors of ERC-20.
var (
	selName        = []byte{0x06, 0xfd, 0xde, 0x03}
	selSymbol      = []byte{0x95, 0xd8, 0x9b, 0x41}
	selDecimals    = []byte{0x31, 0x3c, 0xe5, 0x67}
	selTotalSupply = []byte{0x18, 0x16, 0x0d, 0xdd}
	selBalanceOf   = []byte{0x70, 0xa0, 0x82, 0x31}
)

// Bounds on what strangers' contracts are asked.
const (
	tokensMost  = 50              // on one page
	tokenWithin = 2 * time.Second // for one answer
	tokenText   = 64              // characters of a name or symbol
	tokenFresh  = 10 * time.Minute
	tokensKept  = 2_000
)

// errNoToken reports a contract that does not answer as ERC-20 says.
var errNoToken = errors.New("it does not answer as a token")

// facts remembers what tokens say of themselves.
type facts struct {
	mu  sync.Mutex
	all map[common.Address]fact
}

type fact struct {
	TokenFacts
	at time.Time
}

func (f *facts) get(token common.Address) (TokenFacts, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.all[token]
	return v.TokenFacts, ok && time.Since(v.at) < tokenFresh
}

func (f *facts) put(token common.Address, v TokenFacts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil || len(f.all) >= tokensKept {
		f.all = map[common.Address]fact{}
	}
	f.all[token] = fact{v, time.Now()}
}

// ask calls a stranger's contract, which may revert, answer anything, or take long.
func (s *Server) ask(ctx context.Context, token common.Address, data []byte, at chainclient.Block) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenWithin)
	defer cancel()
	out, err := s.Eth.CallContract(ctx, chainclient.Message{To: token, Data: data}, at)
	if _, refused := errors.AsType[*chainclient.RPCError](err); refused {
		return nil, errNoToken
	}
	return out, err
}

// factsOf returns what a token says of itself; name and symbol are a stranger's text.
func (s *Server) factsOf(ctx context.Context, token common.Address, at chainclient.Block) (TokenFacts, error) {
	if v, known := s.tokens.get(token); known {
		return v, nil
	}
	v := TokenFacts{Token: token}
	for _, q := range []struct {
		selector []byte
		take     func(out []byte)
	}{
		{selName, func(out []byte) { v.Name = textOf(out) }},
		{selSymbol, func(out []byte) { v.Symbol = textOf(out) }},
		{selDecimals, func(out []byte) {
			if n := numberOf(out); n != nil && n.IsUint64() && n.Uint64() <= 255 {
				d := int(n.Uint64()) //nolint:gosec // one byte
				v.Decimals = &d
			}
		}},
	} {
		out, err := s.ask(ctx, token, q.selector, at)
		if err != nil && !errors.Is(err, errNoToken) {
			return v, err
		}
		q.take(out)
	}
	if v != (TokenFacts{Token: token}) {
		s.tokens.put(token, v)
	}
	return v, nil
}

// numberOf reads a word, nil if there is none.
func numberOf(out []byte) *big.Int {
	if len(out) < 32 {
		return nil
	}
	return new(big.Int).SetBytes(out[:32])
}

// textOf reads a string as ABI has them, or the 32 bytes that old tokens answer with.
func textOf(out []byte) string {
	text := bytes.TrimRight(out, "\x00")
	if len(out) != 32 {
		if len(out) < 64 || numberOf(out).Cmp(big.NewInt(32)) != 0 {
			return ""
		}
		n := numberOf(out[32:])
		if n.Cmp(big.NewInt(int64(len(out)-64))) > 0 {
			return ""
		}
		text = out[64 : 64+n.Int64()]
	}
	clean := strings.ToValidUTF8(string(text), "�")
	if utf8.RuneCountInString(clean) > tokenText {
		clean = string([]rune(clean)[:tokenText]) + "…"
	}
	return clean
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	token, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	head, release, err := s.begin(r.Context())
	if err != nil {
		return err
	}
	defer release()
	at := chainclient.At(head)
	out, err := s.ask(r.Context(), token, selTotalSupply, at)
	total := numberOf(out)
	if errors.Is(err, errNoToken) || err == nil && total == nil {
		return apierr.New(apierr.NotFound, "no token answers at that address")
	}
	if err != nil {
		return node(err)
	}
	v, err := s.factsOf(r.Context(), token, at)
	if err != nil {
		return node(err)
	}
	httpx.WriteJSON(w, http.StatusOK, Token{TokenFacts: v, Total: total.String()})
	return nil
}

func (s *Server) addressTokens(w http.ResponseWriter, r *http.Request) error {
	holder, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	n, err := limit(r)
	if err != nil {
		return err
	}
	n = min(n, tokensMost)
	var after common.Address
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = addressOf(text); err != nil {
			return err
		}
	}
	list, err := s.Index.Tokens(r.Context(), holder, after, n+1)
	if err != nil {
		return err
	}
	head, release, err := s.begin(r.Context())
	if err != nil {
		return err
	}
	defer release()
	var p Page[Holding]
	if len(list) > n {
		list = list[:n]
		p.Next = list[n-1].Hex()
	}
	p.Items = make([]Holding, len(list))
	at, of := chainclient.At(head), append(bytes.Clone(selBalanceOf), common.LeftPadBytes(holder[:], 32)...)
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(costly)
	for i, token := range list {
		g.Go(func() (err error) {
			h := &p.Items[i]
			if h.TokenFacts, err = s.factsOf(ctx, token, at); err != nil {
				return err
			}
			out, err := s.ask(ctx, token, of, at)
			if v := numberOf(out); v != nil {
				text := v.String()
				h.Balance = &text
			}
			if errors.Is(err, errNoToken) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil // it says nothing
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return node(err)
	}
	return writePage(w, r, p)
}
