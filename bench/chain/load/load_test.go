package load_test

import (
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/bench/chain/load"
)

// fake is a node that makes a block of what it has taken whenever it is asked for one, and refuses every third
// transaction that it is offered.
type fake struct {
	mu     sync.Mutex
	asked  int
	pool   []common.Hash
	height uint64
}

type call struct {
	ID     int    `json:"id"`
	Method string `json:"method"`
	Params []any  `json:"params"`
}

func (f *fake) answer(c call) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]any{"jsonrpc": "2.0", "id": c.ID}
	switch c.Method {
	case "eth_sendRawTransaction":
		if f.asked++; f.asked%3 == 0 {
			out["error"] = map[string]any{"code": -32005, "message": "pool is full, try again: 12 wei"}
			return out
		}
		raw, _ := c.Params[0].(string)
		var tx types.Transaction
		if err := tx.UnmarshalBinary(common.FromHex(raw)); err != nil {
			out["error"] = map[string]any{"message": err.Error()}
			return out
		}
		f.pool = append(f.pool, tx.Hash())
		out["result"] = tx.Hash()
	case "eth_blockNumber":
		out["result"] = hexutil.Uint64(f.height)
	default:
		out["result"] = nil
		if len(f.pool) > 0 {
			f.height++
			out["result"] = map[string]any{"transactions": f.pool}
			f.pool = nil
		}
	}
	return out
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if json.NewDecoder(r.Body).Decode(&raw) != nil {
		return
	}
	var batch []call
	if json.Unmarshal(raw, &batch) == nil {
		var out []any
		for _, c := range batch {
			out = append(out, f.answer(c))
		}
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	var one call
	_ = json.Unmarshal(raw, &one)
	_ = json.NewEncoder(w).Encode(f.answer(one))
}

func TestEveryArrivalIsCountedOnce(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]int{"one by one": 1, "in batches": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(&fake{})
			defer s.Close()
			accounts, err := load.Accounts(20)
			if err != nil {
				t.Fatal(err)
			}
			to := common.Address{1}
			queues, err := load.Queues(big.NewInt(7), accounts, 20, func(int, int) (load.Call, error) {
				return load.Call{To: &to, Value: big.NewInt(1), Gas: 21_000}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			const rate, seconds = 400, 0.5
			r, err := load.Run(t.Context(), load.Plan{URLs: []string{s.URL}, Queues: queues, Rate: rate, Time: time.Duration(seconds * float64(time.Second)), Batch: batch})
			if err != nil {
				t.Fatal(err)
			}
			if r.Offered+r.Late != rate*seconds || r.Accepted+r.Refused != r.Offered || r.Refused != r.Offered/3 {
				t.Errorf("%d offered, %d late, %d accepted, %d refused", r.Offered, r.Late, r.Accepted, r.Refused)
			}
			if r.Committed != r.Accepted || len(r.Took) != r.Committed || r.Blocks == 0 {
				t.Errorf("%d committed of %d in %d blocks", r.Committed, r.Accepted, r.Blocks)
			}
			if r.Reasons["pool is full, try again"] != r.Refused {
				t.Errorf("reasons %v", r.Reasons)
			}
		})
	}
}
