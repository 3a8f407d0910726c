package main

import (
	"testing"

	"github.com/aitbc/aitbc/internal/deptest"
)

func TestMinerIsLight(t *testing.T) {
	t.Parallel()
	const (
		node   = "a miner reaches the chain through chainclient"
		static = "the miner is one static binary without cgo or loaded libraries"
	)
	deptest.Check(t, deptest.Limits{
		// archive/tar is how files go into and out of containers. llama.cpp's side in the miner is three small packages of ours,
		// beside five that it shares with the exact engine. Grammars of answers are two, as the notation is the client's too.
		Max: 313,
		Env: []string{"CGO_ENABLED=0"},
		Forbid: map[string]string{
			"github.com/aitbc/aitbc/chain":               node,
			"github.com/cometbft":                        node,
			"github.com/ethereum/go-ethereum/core/vm":    node,
			"github.com/ethereum/go-ethereum/core/state": node,
			"github.com/ethereum/go-ethereum/node":       node,
			"github.com/ethereum/go-ethereum/eth":        node,
			"github.com/ethereum/go-ethereum/rpc":        node,
			"github.com/aitbc/aitbc/coordinator":         "miner and coordinator meet only in api, market and receipt",
			"github.com/ebitengine/purego":               static,
			"runtime/cgo":                                static,
			"modernc.org":                                "a miner's state is a few files",
			"testing":                                    "test code does not belong in a program",
		},
	})
}
