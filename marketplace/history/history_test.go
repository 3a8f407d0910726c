package history_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/marketplace/history"
)

func offer(model string, completion, speed uint64, jobs uint64) api.Offer {
	o := api.Offer{Model: model, Rates: market.Rates{Prompt: market.Units(completion / 2), Completion: market.Units(completion)}}
	if jobs > 0 {
		o.Measured = &api.Measured{FirstTokenMS: speed, TokensPerSecond: float64(speed), Jobs: jobs}
	}
	return o
}

func TestALookSeesTheCheapestOfferAndTheMedianOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	miners := []api.Miner{
		{Miner: common.Address{1}, State: "online", Offers: []api.Offer{offer("m", 40, 10, 3), offer("m", 1, 99, 9)}}, // the second of the name does not count
		{Miner: common.Address{2}, State: "draining", Offers: []api.Offer{offer("m", 20, 500, 0)}},
		{Miner: common.Address{3}, State: "online", Offers: []api.Offer{offer("m", 30, 30, 1), {Model: "box", Kind: api.KindContainer}}},
		{Miner: common.Address{4}, State: "online", Offers: []api.Offer{offer("m", 50, 20, 1)}},
		{Miner: common.Address{5}, State: "offline", Offers: []api.Offer{offer("m", 1, 1, 1), offer("gone", 1, 1, 1)}},
	}
	l := history.See(miners, time.UnixMilli(77))
	if len(l.Models) != 1 || len(l.Online) != 4 || len(l.All) != 5 {
		t.Fatalf("%+v", l)
	}
	want := history.Point{At: 77, Miners: 4, Rates: market.Rates{Prompt: market.Units(10), Completion: market.Units(20)}, Measured: 3, Speed: 20_000, FirstToken: 20}
	if l.Models["m"] != want {
		t.Errorf("%+v, want %+v", l.Models["m"], want)
	}
}
