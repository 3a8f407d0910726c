// Package httpapi serves the explorer: its JSON interface, a narrow way to the
// node and the coordinator, and the page, all under one origin. It shows what is
// on the chain and never what a job was about.
package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/store"
	"github.com/aitbc/aitbc/explorer/verify"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/web/origin"
)

// Index is what the server reads of the index.
type Index interface {
	Totals(ctx context.Context) (store.Totals, error)
	Blocks(ctx context.Context, before uint64, limit int) ([]store.Block, error)
	Block(ctx context.Context, height uint64) (store.Block, error)
	BlockByHash(ctx context.Context, h common.Hash) (store.Block, error)
	Tx(ctx context.Context, h common.Hash) (store.Tx, error)
	Txs(ctx context.Context, before store.Place, limit int) ([]store.Tx, error)
	TxsOf(ctx context.Context, height uint64, from, limit int) ([]store.Tx, error)
	TxsBy(ctx context.Context, a common.Address, before store.Place, limit int) ([]store.Tx, error)
	EventsOfTx(ctx context.Context, height uint64, idx int) ([]store.Event, error)
	EventsAbout(ctx context.Context, of index.Subject, before store.Place, limit int) ([]store.Event, error)
	Known(ctx context.Context, of index.Subject) (bool, error)
	Tokens(ctx context.Context, holder, after common.Address, limit int) ([]common.Address, error)
}

// Contracts is where contracts are kept that somebody has shown the source of.
type Contracts interface {
	SaveContract(ctx context.Context, c store.Contract) (store.Contract, error)
	Contract(ctx context.Context, a common.Address) (store.Contract, error)
	Contracts(ctx context.Context, before uint64, limit int) ([]store.Contract, error)
	Interfaces(ctx context.Context, of []common.Address) ([]store.Contract, error)
	CreationOf(ctx context.Context, a common.Address) (store.Tx, error)
}

// Config is what a server needs.
type Config struct {
	Index       Index
	Contracts   Contracts
	Verifier    *verify.Verifier
	Eth         *chainclient.Client
	Comet       *chainclient.Comet
	Coordinator *httpx.Client
	Page        http.Handler // what is no route: the page
	Version     string
}

// Server answers requests. Use [New].
type Server struct {
	Config
	started  time.Time
	hub      *hub
	signing  signing
	tokens   facts
	waiting  waiting
	speakers speakers
	listed   lists
	busy     origin.Turns    // a place for each question that costs the node much
	stopping <-chan struct{} // closed when the server stops

	mu      sync.Mutex
	genesis *genesisCoins // what the node said once, guarded by mu
}

// costly is how many questions that cost the node much are asked at a time.
const costly = 4

// New returns a server. When ctx ends, those who watch the head are told no more.
func New(ctx context.Context, cfg Config) *Server {
	return &Server{Config: cfg, started: time.Now(), hub: newHub(), listed: newLists(), busy: make(origin.Turns, costly), stopping: ctx.Done()}
}

// Added tells who watches the head of new blocks. It is what
// [index.Follower] calls.
func (s *Server) Added([]index.Block) { s.hub.wake() }

// A Route is one method and path of the interface.
type Route struct {
	Method, Path string
	Summary      string
	Query        []string // names of query parameters
	Answer       any      // its type is the answer's; nil: not JSON
	Table        bool     // format=csv gives a table
	Body         any      // its type is the body's; nil: there is none, or it is not ours

	handler httpx.Handler
}

// Routes lists every route but the page, for the check against openapi.json.
func Routes() []Route { return (&Server{}).routes() }

func (s *Server) routes() []Route {
	page := []string{"before", "limit"}
	return []Route{
		{"GET", "/health", "Whether the explorer serves, and its newest block.", nil, map[string]any{}, false, nil, s.health},
		{"GET", "/openapi.json", "This document.", nil, nil, false, nil, s.openapi},
		{"GET", "/api/status", "How far chain and index are, and figures of all blocks.", nil, Status{}, false, nil, s.status},
		{"GET", "/api/head", "Server-sent events: a block's message for each new head.", nil, nil, false, nil, s.head},
		{"GET", "/api/blocks", "Blocks, newest first.", page, Page[Block]{}, true, nil, s.blocks},
		{"GET", "/api/blocks/{block}", "A block by height or hash.", nil, BlockDetail{}, false, nil, s.block},
		{"GET", "/api/blocks/{block}/txs", "Transactions of a block, in their order.", []string{"from", "limit"}, Page[Tx]{}, true, nil, s.blockTxs},
		{"GET", "/api/txs", "Transactions, newest first.", page, Page[Tx]{}, true, nil, s.txs},
		{"GET", "/api/txs/{hash}", "A transaction: what it called, what was said, and why it failed.", nil, TxDetail{}, false, nil, s.tx},
		{"GET", "/api/events", "Events of the network's contracts, newest first, about one subject.", append(page, "name", "address", "session", "job", "receipt", "proposal", "root"), Page[Event]{}, true, nil, s.events},
		{"GET", "/api/addresses/{address}", "An account as it stands now; the address may be spelled 0x… or aitbc1….", nil, Address{}, false, nil, s.address},
		{"GET", "/api/addresses/{address}/txs", "Transactions that name an account, newest first.", page, Page[Tx]{}, true, nil, s.addressTxs},
		{"GET", "/api/addresses/{address}/tokens", "ERC-20 tokens that an account may have, and how much of each; what a token says of itself is its maker's text.", []string{"after", "limit"}, Page[Holding]{}, true, nil, s.addressTokens},
		{"GET", "/api/tokens/{address}", "An ERC-20 token, by what its contract says.", nil, Token{}, false, nil, s.token},
		{"GET", "/api/contracts", "Contracts whose source was shown here, the newest first.", page, Page[Contract]{}, true, nil, s.contracts},
		{"GET", "/api/contracts/{address}", "A contract: its interface, and its source if somebody has shown it. Names and sources are its maker's text.", nil, ContractDetail{}, false, nil, s.contract},
		{"POST", "/api/contracts/{address}/verify", "Shows the source of a contract: it is compiled, and what comes out is compared with the code on the chain.", nil, ContractDetail{}, false, VerifyRequest{}, s.verify},
		{"GET", "/api/compilers", "Versions of the Solidity compiler that this explorer can verify with.", nil, Compilers{}, false, nil, s.compilers},
		{"GET", "/api/mempool", "Transactions that wait for a block, the node's most eager senders first.", []string{"limit"}, Page[Waiting]{}, true, nil, s.mempool},
		{"GET", "/api/consensus", "Where the node is in deciding the next block, and how many transactions wait.", nil, Consensus{}, false, nil, s.consensus},
		{"GET", "/api/peers", "Nodes that the explorer's node is connected to.", nil, Page[Peer]{}, true, nil, s.peers},
		{"GET", "/api/sessions/{id}", "A session as it stands now.", nil, Session{}, false, nil, s.session},
		{"GET", "/api/jobs/{id}", "A direct job as it stands now.", nil, Job{}, false, nil, s.job},
		{"GET", "/api/validators", "Validators, the most powerful first.", nil, Page[Validator]{}, true, nil, s.validators},
		{"GET", "/api/miners", "Miners of the coordinator.", nil, Page[Miner]{}, true, nil, s.miners},
		{"GET", "/api/proposals", "Proposals, newest first.", nil, Page[Proposal]{}, true, nil, s.proposals},
		{"GET", "/api/supply", "How many coins there are.", nil, Supply{}, false, nil, s.supply},
		{"GET", "/api/parameters", "Parameters of the contracts.", nil, Page[Parameter]{}, true, nil, s.parameters},
		{"GET", "/api/search", "What a height, hash, address, number or name may mean.", []string{"q"}, Results{}, false, nil, s.search},
		{"POST", "/node/eth", "The node's Ethereum JSON-RPC: methods that read, and eth_sendRawTransaction.", nil, nil, false, nil, origin.Node{Eth: s.Eth, Turns: s.busy}.Serve},
		{"GET", "/coordinator/v1/{path...}", "The coordinator's network, models, miners, and a client's own receipts.", nil, nil, false, nil, s.coordinator},
	}
}

// Handler returns the handler of all routes and of the page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.Method+" "+r.Path, r.handler)
	}
	for _, prefix := range []string{"/api/", "/node/", "/coordinator/"} {
		mux.Handle(prefix, httpx.Handler(func(http.ResponseWriter, *http.Request) error {
			return apierr.New(apierr.NotFound, "there is no such route: GET /openapi.json lists them")
		}))
	}
	mux.Handle("/", s.Page)
	return origin.Secured(mux)
}

// found turns the index's and the chain's ErrNotFound into an answer.
func found(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, chainclient.ErrNotFound) {
		return apierr.Wrap(err, apierr.NotFound, what+" is not on the chain, or not in the index yet")
	}
	return err
}

// node marks what the node did not answer.
func node(err error) error {
	if err == nil {
		return nil
	}
	return apierr.Wrap(err, apierr.Unavailable, "the node does not answer this now: try again")
}

// Limits of a page of a list.
const (
	pageUsual = 25
	pageMost  = 1000
)

func limit(r *http.Request) (int, error) { return httpx.Limit(r, pageUsual, pageMost) }

// place reads before, as the page before gave it: HEIGHT or HEIGHT.PLACE.
func place(r *http.Request) (store.Place, error) {
	text := r.URL.Query().Get("before")
	if text == "" {
		return store.Newest, nil
	}
	height, seq, _ := strings.Cut(text, ".")
	h, err := strconv.ParseUint(height, 10, 63)
	var i int64
	if err == nil && seq != "" {
		i, err = strconv.ParseInt(seq, 10, 32)
	}
	if err != nil || i < 0 {
		return store.Place{}, apierr.New(apierr.Invalid, "before is not what the page before gave as next")
	}
	return store.Place{Height: h, Seq: int(i)}, nil
}

func next(height uint64, seq int) string {
	return strconv.FormatUint(height, 10) + "." + strconv.Itoa(seq)
}

func number(text, name string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > math.MaxInt64 {
		return 0, apierr.New(apierr.Invalid, "%s is not a number", name)
	}
	return n, nil
}

func hashOf(text, name string) (common.Hash, error) {
	var h common.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil || len(text) != 66 {
		return h, apierr.New(apierr.Invalid, "%s is not 0x and 64 hex digits", name)
	}
	return h, nil
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	t, err := s.Index.Totals(r.Context())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{
		"status": "ok", "service": "explorer", "uptime_seconds": int(time.Since(s.started).Seconds()), "height": max(t.Next, 1) - 1,
	})
	return nil
}
