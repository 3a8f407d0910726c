package onchain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/miner/spool"
)

// Claimable says how a coordinator's word stands on the chain.
type Claimable struct {
	Total    market.Amount // what the coordinator signed that it owes in all
	Credited market.Amount // what the chain has paid of it
	Due      market.Amount // the rest
	From     time.Time     // when the chain takes the claim
	Now      time.Time     // of the newest block: the chain's clock decides
}

// Claimable compares a coordinator's word with what the chain has paid.
func (c *Chain) Claimable(ctx context.Context, i spool.IOU) (Claimable, error) {
	out := Claimable{Total: i.Total}
	var err error
	if out.Credited, err = c.market.Credited(ctx, i.Coordinator, c.account, chainclient.Latest); err != nil {
		return out, err
	}
	if i.Total.Cmp(out.Credited) > 0 {
		if out.Due, err = i.Total.Sub(out.Credited); err != nil {
			return out, err
		}
	}
	head, err := c.client.Header(ctx, chainclient.Latest)
	if err != nil {
		return out, err
	}
	out.Now = time.Unix(int64(head.Time), 0) //nolint:gosec // a block's time
	p, err := c.market.Params(ctx, chainclient.Latest)
	if err != nil {
		return out, err
	}
	// Rounded up, as the contract does.
	out.From = time.Unix(int64((i.Receipt.FinishedAt+999)/1000+p.ClaimDelay), 0) //nolint:gosec // a time that both sides signed
	return out, nil
}

// Claim redeems a coordinator's word without the coordinator: it is paid out of
// its settlement account and then out of its bond, as far as this miner's limit
// goes. It returns what came and what of it was bond.
func (c *Chain) Claim(ctx context.Context, i spool.IOU) (paid, fromBond market.Amount, err error) {
	r, err := c.market.ClaimReceipt(ctx, c.sender, predeploy.Claim{Receipt: i.Receipt, MinerTotal: i.Total, Countersignature: i.Countersignature})
	if err != nil {
		return paid, fromBond, err
	}
	for _, log := range r.Logs {
		e, err := predeploy.Decode(*log)
		if errors.Is(err, predeploy.ErrEvent) {
			continue // the Registry's, about the bond
		}
		if err != nil {
			return paid, fromBond, err
		}
		if claimed, ok := e.(*predeploy.Claimed); ok {
			return claimed.Paid, claimed.FromBond, nil
		}
	}
	return paid, fromBond, fmt.Errorf("transaction %s claimed nothing", r.TxHash)
}
