package sqlite

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/market"
)

func FuzzRecord(f *testing.F) {
	j := order(1, 5)
	_ = sign(j)
	f.Add((&change{job: j, fresh: true, spec: []byte("{}"), session: &balance{1, market.Units(5), market.Units(0), 1}, entries: []ledger.Entry{{At: 5, Kind: "reserve", From: "a", To: "b", Amount: market.Units(5)}}}).encode(nil))
	f.Add((&change{job: j, signed: []byte("{}"), miner: &earnings{common.Address{1}, market.Units(3), 2}}).encode(nil))
	spent := ledger.Spent{Total: market.Units(9), Day: ledger.Window{N: -1, Amount: market.Units(2)}, Month: ledger.Window{N: 24312, Amount: market.Units(4)}}
	k := *j
	k.Key, k.FirstToken = common.Hash{8}, 9
	f.Add((&change{job: &k, session: &balance{1, market.Units(5), market.Units(0), 1}, budget: &spending{k.Key, spent}}).encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(c.encode(nil))
		if err != nil || fmt.Sprintf("%+v", again.job) != fmt.Sprintf("%+v", c.job) || fmt.Sprintf("%+v", again.budget) != fmt.Sprintf("%+v", c.budget) || len(again.entries) != len(c.entries) {
			t.Fatalf("%+v, %v, want %+v", again, err, c)
		}
	})
}
