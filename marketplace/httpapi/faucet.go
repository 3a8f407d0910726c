package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/httpx"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/web/origin"
)

// giveWithin is how long a transaction to the faucet may take.
const giveWithin = 20 * time.Second

// Giver asks the faucet for who cannot pay the transaction. It returns a
// *[chainclient.RevertError] for what the faucet refuses.
type Giver interface {
	Give(ctx context.Context, to common.Address) (market.Amount, error)
}

// give has an account that is empty given its first coins. Any other asks by a
// transaction of its own; how often and how much, the faucet itself says.
func (s *Server) give(w http.ResponseWriter, r *http.Request) error {
	if s.Giver == nil {
		return apierr.New(apierr.NotFound, "this marketplace asks no faucet for others")
	}
	if err := origin.CheckJSON(r); err != nil {
		return err
	}
	var q struct {
		To common.Address `json:"to"`
	}
	if err := httpx.DecodeJSON(w, r, &q); err != nil {
		return err
	}
	if q.To == (common.Address{}) {
		return apierr.New(apierr.Invalid, "to is missing")
	}
	ctx, cancel := context.WithTimeout(r.Context(), giveWithin)
	defer cancel()
	release, err := s.giving.Claim(ctx)
	if err != nil {
		return err
	}
	defer release()
	have, err := s.Eth.Balance(ctx, q.To, chainclient.Latest)
	if err != nil {
		return apierr.Wrap(err, apierr.Unavailable, "the node does not answer this now: try again")
	}
	if !have.IsZero() {
		return apierr.New(apierr.Conflict, "the account has coins: it asks the faucet by a transaction of its own")
	}
	amount, err := s.Giver.Give(ctx, q.To)
	if e, refused := errors.AsType[*chainclient.RevertError](err); refused {
		return apierr.Wrap(err, apierr.RateLimited, "the faucet gives nothing now: "+e.Text)
	}
	if err != nil {
		return apierr.Wrap(err, apierr.Unavailable, "the faucet could not be asked: try again")
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"to": q.To, "amount": amount})
	return nil
}
