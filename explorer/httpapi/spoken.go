package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/explorer/index"
)

// matchNetwork marks what the network's own contracts say, whose interfaces are in
// this program.
const matchNetwork = "network"

// spoken is the interface that a contract speaks, and how it is known.
type spoken struct {
	index.Contract
	match string
}

// Bounds on what is remembered of contracts.
const (
	spokenFresh = 30 * time.Second // another explorer may have verified it meanwhile
	spokenMost  = 4_000
	askedMost   = 500 // at a time
	// proxiesMost is how many contracts of one transaction are looked through.
	proxiesMost = 16
)

// speakers remembers which contracts are verified, and which are not.
type speakers struct {
	mu  sync.Mutex
	all map[common.Address]speaker
}

type speaker struct {
	spoken *spoken // nil: it is not verified, or has an interface that cannot be read
	at     time.Time
}

// forget has a contract asked for anew.
func (k *speakers) forget(a common.Address) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, a)
}

func (k *speakers) put(a common.Address, v *spoken) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) >= spokenMost {
		k.all = map[common.Address]speaker{}
	}
	k.all[a] = speaker{v, time.Now()}
}

// get returns those that are known of a list, and those that must be asked for.
func (k *speakers) get(of []common.Address, into map[common.Address]spoken) (missing []common.Address) {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := map[common.Address]bool{}
	for _, a := range of {
		if asked[a] {
			continue
		}
		asked[a] = true
		v, ok := k.all[a]
		switch {
		case !ok || time.Since(v.at) >= spokenFresh:
			missing = append(missing, a)
		case v.spoken != nil:
			into[a] = *v.spoken
		}
	}
	return missing
}

// interfaces returns the interfaces of those contracts of a list that are the
// network's or verified.
func (s *Server) interfaces(ctx context.Context, of []common.Address) (map[common.Address]spoken, error) {
	known := map[common.Address]spoken{}
	var strange []common.Address
	for _, a := range of {
		if c, ours := index.Contracts()[a]; ours {
			known[a] = spoken{c, matchNetwork}
		} else {
			strange = append(strange, a)
		}
	}
	missing := s.speakers.get(strange, known)
	for len(missing) > 0 {
		part := missing[:min(askedMost, len(missing))]
		missing = missing[len(part):]
		list, err := s.Contracts.Interfaces(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, a := range part {
			s.speakers.put(a, nil)
		}
		for _, c := range list {
			if parsed, err := parseABI(c.ABI); err == nil {
				v := spoken{index.Contract{Name: c.Name, ABI: parsed}, c.Match.String()}
				known[c.Address] = v
				s.speakers.put(c.Address, &v)
			}
		}
	}
	return known, nil
}

// parseABI reads a stranger's interface. The library panics at types that no machine
// can hold.
func parseABI(raw json.RawMessage) (out abi.ABI, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("an interface that cannot be read: %v", p)
		}
	}()
	return abi.JSON(bytes.NewReader(raw))
}

// implementationSlot is where EIP-1967 has a proxy keep what it hands calls to.
const implementationSlot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"

// implementation returns what a contract hands calls to as EIP-1967 says, if it does.
func (s *Server) implementation(ctx context.Context, a common.Address) (common.Address, bool, error) {
	var word common.Hash
	if err := s.Eth.Call(ctx, &word, "eth_getStorageAt", a, implementationSlot, chainclient.Latest); err != nil {
		return common.Address{}, false, err
	}
	to := common.BytesToAddress(word[:])
	return to, to != (common.Address{}) && word == common.BytesToHash(to[:]), nil
}

// speaks returns the interfaces by which each contract of a list may be understood:
// its own first, and then that of its implementation. What the node does not answer
// is left out.
func (s *Server) speaks(ctx context.Context, of []common.Address) (map[common.Address][]spoken, error) {
	known, err := s.interfaces(ctx, of)
	if err != nil {
		return nil, err
	}
	out := map[common.Address][]spoken{}
	through := map[common.Address]common.Address{}
	var behind []common.Address
	for _, a := range of {
		if _, done := out[a]; done {
			continue
		}
		out[a] = nil
		if v, ok := known[a]; ok {
			out[a] = append(out[a], v)
			if v.match == matchNetwork {
				continue
			}
		}
		if len(through) < proxiesMost {
			if to, ok, err := s.implementation(ctx, a); err == nil && ok {
				through[a] = to
				behind = append(behind, to)
			}
		}
	}
	if known, err = s.interfaces(ctx, behind); err != nil {
		return nil, err
	}
	for a, to := range through {
		if v, ok := known[to]; ok {
			out[a] = append(out[a], v)
		}
	}
	return out, nil
}
