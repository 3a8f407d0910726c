// Package rig is a real coordinator with its real store and HTTP interface, on a
// chain that exists only in memory, and a miner that answers at once, for
// benchmarks.
package rig

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/coordinator/sqlite"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// Model is the name of the model that the rig's miner offers.
const Model = "fixed"

const (
	session   = 1
	feeBps    = 250
	marginBps = 100
	class     = "exact/1;arch=llama;quant=q8_0"
)

// Domain is the network of the rig.
var Domain = receipt.Domain{ChainID: 424242, Market: common.HexToAddress("0xA102")}

// Key is a signing key in memory.
type Key struct {
	k       *ecdsa.PrivateKey
	address common.Address
}

// NewKey returns the key of a name.
func NewKey(name string) Key {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("aitbc/bench/" + name)))
	if err != nil {
		panic(err) // the hash is no key: with the names that we use it is
	}
	return Key{k, crypto.PubkeyToAddress(k.PublicKey)}
}

// Address implements [receipt.Signer].
func (k Key) Address() common.Address { return k.address }

// SignDigest implements [receipt.Signer].
func (k Key) SignDigest(d common.Hash) ([]byte, error) { return crypto.Sign(d[:], k.k) }

var (
	// Coordinator is the key of the rig's coordinator.
	Coordinator = NewKey("coordinator")
	clientKey   = NewKey("client")
	minerKey    = NewKey("miner")
)

func spender(n uint64) (receipt.Signer, error) { return NewKey(fmt.Sprint("spender ", n)), nil }

// Options say how a coordinator differs from the usual one.
type Options struct {
	Dir       string        `json:"dir"` // of its database
	Volatile  bool          `json:"volatile"`
	Heartbeat time.Duration `json:"heartbeat"` // zero for the default
	MaxQueued int           `json:"max_queued"`
	Idle      bool          `json:"idle"` // a miner is there and takes no job
}

// House is a coordinator with its store.
type House struct {
	Service *coordinator.Service

	chain *chain
	store *sqlite.Store
}

// Open makes a coordinator with an empty database.
func Open(ctx context.Context, o Options) (*House, error) {
	h := &House{chain: newChain()}
	var err error
	if h.store, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(o.Dir, "coordinator.db"), Volatile: o.Volatile}); err != nil {
		return nil, err
	}
	h.Service, err = coordinator.New(coordinator.Config{
		Domain: Domain, Account: Coordinator.Address(), Signer: Coordinator, Spender: spender, Store: h.store, Chain: h.chain,
		MarginBps: marginBps, MinerLimit: market.MaxAmount(), Heartbeat: o.Heartbeat, MaxQueued: o.MaxQueued,
	})
	if err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	return h, nil
}

// Close closes the store.
func (h *House) Close() error { return h.store.Close() }

// Client opens a session with a large deposit and returns its API key. The
// service must be running.
func (h *House) Client(ctx context.Context) (string, error) {
	p, err := h.Service.Prepare(ctx, api.PrepareRequest{Client: clientKey.Address()})
	if err != nil {
		return "", fmt.Errorf("prepare session: %w", err)
	}
	now := time.Now()
	end := uint64(now.Add(12 * time.Hour).Unix()) //nolint:gosec // after 1970
	h.chain.open(session, coordinator.ChainSession{
		Client: clientKey.Address(), Coordinator: p.Coordinator, Spender: p.Spender, Deposit: market.Coins(1_000_000_000),
		Expiry: end, DueAt: end, FeeBps: feeBps, State: ledger.SessionOpen,
	})
	r := api.KeyRequest{Client: clientKey.Address(), IssuedAt: uint64(now.Unix())} //nolint:gosec // after 1970
	var k api.KeyResponse
	err = api.UnlessUsed(&r.IssuedAt, func() (err error) {
		if r.Signature, err = receipt.Sign(clientKey, Domain, receipt.KeyRequest{Client: r.Client, Session: session, IssuedAt: r.IssuedAt}); err == nil {
			k, err = h.Service.IssueKey(ctx, session, r)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("issue key: %w", err)
	}
	return k.APIKey, nil
}

// issued has the latest time of issue that a login of each key had: each counts once.
var issued struct {
	sync.Mutex
	last map[common.Address]int64
}

func issuedAt(key common.Address, now time.Time) uint64 {
	issued.Lock()
	defer issued.Unlock()
	if issued.last == nil {
		issued.last = map[common.Address]int64{}
	}
	issued.last[key] = max(now.Unix(), issued.last[key]+1)
	return uint64(issued.last[key]) //nolint:gosec // after 1970
}

// login introduces a miner to a coordinator.
func login(key Key, slots int) (api.RegisterRequest, error) {
	raw, err := json.Marshal([]api.Offer{{
		Model: Model, Digest: common.Hash{7}, Class: class, Context: 4096, MaxTokens: 512,
		Rates: market.Rates{Prompt: market.Units(1_000_000), Completion: market.Units(2_000_003)},
	}})
	if err != nil {
		return api.RegisterRequest{}, fmt.Errorf("encode offer: %w", err)
	}
	q := api.RegisterRequest{Miner: key.Address(), IssuedAt: issuedAt(key.Address(), time.Now()), OffersJSON: string(raw), Slots: slots}
	q.Signature, err = receipt.Sign(key, Domain, q.Login(Coordinator.Address()))
	return q, err
}

// Miner registers the rig's miner with the service, without HTTP, and returns
// who it is to the service.
func (h *House) Miner(ctx context.Context, slots int) (coordinator.Caller, error) {
	q, err := login(minerKey, slots)
	if err != nil {
		return coordinator.Caller{}, err
	}
	r, err := h.Service.Register(ctx, q)
	if err != nil {
		return coordinator.Caller{}, fmt.Errorf("register miner: %w", err)
	}
	return h.Service.Authenticate(ctx, r.APIKey, ledger.ScopeMiner)
}

// Caller returns who an API key of [House.Client] speaks for.
func (h *House) Caller(ctx context.Context, key string) (coordinator.Caller, error) {
	return h.Service.Authenticate(ctx, key, ledger.ScopeClient)
}
