package abci

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"
)

// codeRefused answers a transaction that the pool does not take.
const codeRefused = 1

// InsertTx takes a transaction from a peer. The pool looks at it later.
func (a *App) InsertTx(_ context.Context, r *abci.RequestInsertTx) (*abci.ResponseInsertTx, error) {
	if !a.inbox.put(r.Tx) {
		return &abci.ResponseInsertTx{Code: codeRefused}, nil
	}
	return &abci.ResponseInsertTx{Code: abci.CodeTypeOK}, nil
}

// CheckTx takes a transaction from CometBFT's broadcast routes.
func (a *App) CheckTx(_ context.Context, r *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	if _, err := a.cfg.Chain.Submit(r.Tx); err != nil {
		return &abci.ResponseCheckTx{Code: codeRefused, Log: err.Error()}, nil
	}
	return &abci.ResponseCheckTx{Code: abci.CodeTypeOK}, nil
}

// ReapTxs hands the collected transactions to gossip.
func (a *App) ReapTxs(context.Context, *abci.RequestReapTxs) (*abci.ResponseReapTxs, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	txs := a.gossip
	a.gossip = nil
	return &abci.ResponseReapTxs{Txs: txs}, nil
}
