package httpapi

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/chainclient"
)

// signedBlocks is how many of the newest blocks tell what a validator signed.
const signedBlocks = 100

// commit is who decided a block, and who could have.
type commit struct {
	round  int
	signed map[common.Address]bool
	set    map[common.Address]bool
}

// signing keeps what the node told of commits: they never change.
type signing struct {
	mu      sync.Mutex
	commits map[uint64]commit
	sets    map[string]map[common.Address]bool // by the hash of the set
}

// commitsKept bounds the memory of commits.
const commitsKept = 20 * signedBlocks

func (s *signing) known(height uint64) (commit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.commits[height]
	return c, ok
}

func (s *signing) keep(height uint64, hash string, c commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits == nil || len(s.commits) >= commitsKept {
		s.commits, s.sets = map[uint64]commit{}, map[string]map[common.Address]bool{}
	}
	s.commits[height], s.sets[hash] = c, c.set
}

func (s *signing) set(hash string) map[common.Address]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sets[hash]
}

// consensusAddress reads an address as CometBFT writes it: forty digits.
func consensusAddress(text string) (common.Address, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != common.AddressLength {
		return common.Address{}, fmt.Errorf("address of a validator: %q", text)
	}
	return common.Address(b), nil
}

// of returns who decided a block.
func (s *signing) of(ctx context.Context, node *chainclient.Comet, height uint64) (commit, error) {
	if c, ok := s.known(height); ok {
		return c, nil
	}
	var raw struct {
		Signed struct {
			Header struct {
				Validators string `json:"validators_hash"`
			} `json:"header"`
			Commit struct {
				Round      int `json:"round"`
				Signatures []struct {
					Flag    int    `json:"block_id_flag"`
					Address string `json:"validator_address"`
				} `json:"signatures"`
			} `json:"commit"`
		} `json:"signed_header"`
		Canonical bool `json:"canonical"`
	}
	at := strconv.FormatUint(height, 10)
	if err := node.Call(ctx, &raw, "commit", map[string]any{"height": at}); err != nil {
		return commit{}, err
	}
	c := commit{round: raw.Signed.Commit.Round, signed: map[common.Address]bool{}}
	for _, sig := range raw.Signed.Commit.Signatures {
		if sig.Flag != 2 { // absent, or for no block
			continue
		}
		a, err := consensusAddress(sig.Address)
		if err != nil {
			return commit{}, err
		}
		c.signed[a] = true
	}
	if c.set = s.set(raw.Signed.Header.Validators); c.set == nil {
		var err error
		if c.set, err = validatorSet(ctx, node, at); err != nil {
			return commit{}, err
		}
	}
	if raw.Canonical { // that of the newest block may still gain signatures
		s.keep(height, raw.Signed.Header.Validators, c)
	}
	return c, nil
}

// setPage is how many validators a node tells at a time.
const setPage = 100

func validatorSet(ctx context.Context, node *chainclient.Comet, at string) (map[common.Address]bool, error) {
	set := map[common.Address]bool{}
	for page := 1; ; page++ {
		var raw struct {
			Validators []struct {
				Address string `json:"address"`
			} `json:"validators"`
			Total string `json:"total"`
		}
		if err := node.Call(ctx, &raw, "validators", map[string]any{"height": at, "page": strconv.Itoa(page), "per_page": strconv.Itoa(setPage)}); err != nil {
			return nil, err
		}
		for _, v := range raw.Validators {
			a, err := consensusAddress(v.Address)
			if err != nil {
				return nil, err
			}
			set[a] = true
		}
		if total, err := strconv.Atoi(raw.Total); err != nil || len(set) >= total || len(raw.Validators) == 0 {
			return set, err
		}
	}
}

// strips returns, for each consensus key, a letter for each of the blocks up to
// head, the oldest first, and the height of the first letter.
func (s *signing) strips(ctx context.Context, node *chainclient.Comet, first, head uint64, keys []common.Address) ([]string, uint64, error) {
	from := max(first, head-min(head, signedBlocks-1), 1)
	commits := make([]commit, head+1-min(from, head+1))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range commits {
		g.Go(func() (err error) {
			commits[i], err = s.of(ctx, node, from+uint64(i)) //nolint:gosec // below signedBlocks
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	out := make([]string, len(keys))
	for i, key := range keys {
		var b strings.Builder
		for _, c := range commits {
			switch {
			case c.signed[key]:
				b.WriteByte('s')
			case c.set[key]:
				b.WriteByte('m')
			default:
				b.WriteByte('-')
			}
		}
		out[i] = b.String()
	}
	return out, from, nil
}
