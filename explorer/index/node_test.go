package index_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/explorer/indextest"
)

func TestBlockHoldsWhatItsTransactionsAndTheNodeDid(t *testing.T) {
	t.Parallel()
	n := indextest.New(100, 10)
	s := httptest.NewServer(n)
	t.Cleanup(s.Close)
	node, err := index.NewNode(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	tip, err := node.Tip(t.Context())
	if err != nil || tip.Head != 100 || tip.First != 1 || tip.Genesis != n.Genesis() || tip.ChainID != 4242 {
		t.Fatalf("%+v, %v", tip, err)
	}
	b, err := node.Block(t.Context(), 35)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range b.Events {
		names = append(names, e.Contract+"."+e.Name)
	}
	if got := strings.Join(names, " "); got != "Market.SessionOpened ERC-20.Transfer Market.Debited Market.Credited Market.Settled Staking.Distributed Node.CallRefused" {
		t.Errorf("events: %s", got)
	}
	if args := string(b.Events[6].Args); args != `{"call":"Market.endBlock","error":"execution reverted"}` {
		t.Errorf("the refused call: %s", args)
	}
	if b.Txs[9].OK || !b.Txs[0].OK || b.Txs[1].Value.String() != "60" {
		t.Errorf("%+v", b.Txs)
	}
	// The session's client, coordinator and spender are found by the transaction that opened it.
	if have := b.Touched(0); !slices.Contains(have, n.Account(1)) || !slices.Contains(have, contracts.MarketAddress) || len(have) != 4 {
		t.Errorf("touched: %v", have)
	}
	if _, err := node.Block(t.Context(), 101); err == nil {
		t.Error("a block that is not there")
	}
}

// What a contract carries in bytes is named by its hash, and a later program's event is kept.
func TestContentIsNotRepeated(t *testing.T) {
	t.Parallel()
	market, err := contracts.MarketABI()
	if err != nil {
		t.Fatal(err)
	}
	def := market.Events["JobDelivered"]
	data, err := def.Inputs.NonIndexed().Pack([]byte("a planted secret"))
	if err != nil {
		t.Fatal(err)
	}
	e, ours := index.Decode(index.Log{Address: contracts.MarketAddress, Topics: []common.Hash{def.ID, {31: 7}}, Data: data})
	if !ours || e.Name != "JobDelivered" {
		t.Fatalf("%+v, %v", e, ours)
	}
	var args struct {
		Job    string
		Output struct{ Bytes int }
	}
	if err := json.Unmarshal(e.Args, &args); err != nil || args.Job != "7" || args.Output.Bytes != 16 || strings.Contains(string(e.Args), "706c616e746564") {
		t.Errorf("%s, %v", e.Args, err)
	}
	if !slices.Contains(e.Subjects, index.Subject{Kind: index.KindJob, Key: "\x00\x00\x00\x00\x00\x00\x00\x07"}) {
		t.Errorf("%+v", e.Subjects)
	}
	later, ours := index.Decode(index.Log{Address: contracts.MarketAddress, Topics: []common.Hash{{1}}})
	if !ours || later.Name != "" || later.Contract != "Market" {
		t.Errorf("%+v, %v", later, ours)
	}
	if _, ours := index.Decode(index.Log{Address: common.Address{1}, Topics: []common.Hash{def.ID}}); ours {
		t.Error("a stranger's log is taken for ours")
	}
}

// A stranger's log is a transfer only if it has the form of one.
func TestTransfersOfTokensAreTold(t *testing.T) {
	t.Parallel()
	topic := crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)"))
	token, from, to := common.Address{1}, common.BytesToHash([]byte{2}), common.BytesToHash([]byte{3})
	word := make([]byte, 32)
	word[31] = 9
	for name, c := range map[string]struct {
		log     index.Log
		want    string
		holders int
	}{
		"coins":            {index.Log{Address: token, Topics: []common.Hash{topic, from, to}, Data: word}, `ERC-20 {"token":"0x0100000000000000000000000000000000000000","from":"0x0000000000000000000000000000000000000002","to":"0x0000000000000000000000000000000000000003","value":"9"}`, 2},
		"made":             {index.Log{Address: token, Topics: []common.Hash{topic, {}, to}, Data: word}, `ERC-20 {"token":"0x0100000000000000000000000000000000000000","from":"0x0000000000000000000000000000000000000000","to":"0x0000000000000000000000000000000000000003","value":"9"}`, 1},
		"one of a kind":    {index.Log{Address: token, Topics: []common.Hash{topic, from, to, {31: 7}}}, `ERC-721 {"token":"0x0100000000000000000000000000000000000000","from":"0x0000000000000000000000000000000000000002","to":"0x0000000000000000000000000000000000000003","id":"7"}`, 0},
		"no address":       {index.Log{Address: token, Topics: []common.Hash{topic, {0: 1}, to}, Data: word}, "", 0},
		"too much":         {index.Log{Address: token, Topics: []common.Hash{topic, from, to}, Data: make([]byte, 33)}, "", 0},
		"nothing indexed":  {index.Log{Address: token, Topics: []common.Hash{topic}, Data: make([]byte, 96)}, "", 0},
		"another's Market": {index.Log{Address: token, Topics: []common.Hash{{1}, from, to}, Data: word}, "", 0},
	} {
		e, ok := index.Decode(c.log)
		if ok != (c.want != "") || ok && e.Contract+" "+string(e.Args) != c.want || len(e.Holders) != c.holders {
			t.Errorf("%s: %+v, %s", name, e, e.Args)
		}
	}
}
