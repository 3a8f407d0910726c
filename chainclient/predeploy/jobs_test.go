package predeploy_test

import (
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// jobTuple is a job as the ABI has it.
type jobTuple struct {
	Client                                        common.Address
	AcceptBy                                      uint64
	State, Level                                  uint8
	FeeBps                                        uint16
	Miner                                         common.Address
	DueAt                                         uint64
	CallbackGas                                   uint32
	Fee, Price, Bond                              *big.Int
	Deadline                                      uint64
	ChallengeWindow, AnswerWindow                 uint32
	Spec, Model, Class, SealTo, Receipt, Delivery [32]byte
}

func TestJobIsReadFieldByField(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	m := predeploy.NewMarket(client)
	a := marketABI(t)
	c.view(t, contracts.MarketAddress, a, "job", []any{uint64(7)}, jobTuple{
		common.Address{1},
		2, 4, 3, 250,
		common.Address{5},
		6, 7, big.NewInt(8), big.NewInt(9), big.NewInt(10), 11, 12, 13,
		[32]byte{14},
		[32]byte{15},
		[32]byte{16},
		[32]byte{17},
		[32]byte{18},
		[32]byte{19},
	})
	c.view(t, contracts.MarketAddress, a, "jobCount", nil, uint64(7))
	c.view(t, contracts.MarketAddress, a, "jobMiners", []any{uint64(7)}, []common.Address{{2}, {3}})
	c.view(t, contracts.MarketAddress, a, "jobsLocked", nil, big.NewInt(28))
	params := contracts.DefaultJobParams()
	c.view(t, contracts.MarketAddress, a, "jobParams", nil, params.ABI())
	want := predeploy.Job{
		Client: common.Address{1}, AcceptBy: 2, State: predeploy.JobStateChallenged, Level: 3, FeeBps: 250, Miner: common.Address{5}, DueAt: 6,
		CallbackGas: 7, Fee: market.Units(8), Price: market.Units(9), Bond: market.Units(10), Deadline: 11, ChallengeWindow: 12, AnswerWindow: 13,
		Spec: common.Hash{14}, Model: common.Hash{15}, Class: common.Hash{16}, SealTo: common.Hash{17}, Receipt: common.Hash{18}, Delivery: common.Hash{19},
	}
	job, err := m.Job(t.Context(), 7, chainclient.Latest)
	if err != nil || job != want {
		t.Fatalf("got %+v, %v", job, err)
	}
	if n, err := m.JobCount(t.Context(), chainclient.Latest); err != nil || n != 7 {
		t.Errorf("count %d, %v", n, err)
	}
	miners, err := m.JobMiners(t.Context(), 7, chainclient.Latest)
	if err != nil || !reflect.DeepEqual(miners, []common.Address{{2}, {3}}) {
		t.Errorf("miners %v, %v", miners, err)
	}
	if locked, err := m.JobsLocked(t.Context(), chainclient.Latest); err != nil || locked != market.Units(28) {
		t.Errorf("locked %s, %v", locked, err)
	}
	if got, err := m.JobParams(t.Context(), chainclient.Latest); err != nil || got != params {
		t.Errorf("params %+v, %v", got, err)
	}
	typed := job.Typed(7, miners)
	if typed.Job != 7 || typed.Client != job.Client || typed.Miners != receipt.Miners(miners) || typed.Fee != job.Fee || typed.CallbackGas != 7 {
		t.Errorf("typed %+v", typed)
	}
	if s := job.State.String(); s != "challenged" || job.State.Ended() || !predeploy.JobStateRefunded.Ended() {
		t.Errorf("state %s", s)
	}
}

func TestCreateJobSortsMinersAndReturnsItsNumber(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	s := predeploy.NewSender(client, account{})
	c.logs = []*types.Log{
		logOf(t, "Swept", nil, big.NewInt(1)),
		logOf(t, "JobCreated", []common.Hash{common.BigToHash(big.NewInt(41)), {}, {}}, [32]byte{9}, big.NewInt(5), big.NewInt(1), uint64(2), uint64(3), []common.Address{}, []byte("do")),
	}
	id, _, err := predeploy.NewMarket(client).CreateJob(t.Context(), s, predeploy.JobOrder{
		Spec: common.Hash{1}, Model: common.Hash{2}, AcceptBy: 3, Deadline: 4, CallbackGas: 5, Miners: []common.Address{{9}, {8}}, Fee: market.Units(6),
	})
	if err != nil || id != 41 || c.sent.Value().Int64() != 6 {
		t.Fatalf("%d, %v", id, err)
	}
	// The estimate is 5: beside it there is gas for a queue that has changed since.
	if gas := c.sent.Gas(); gas < 50_000 {
		t.Errorf("%d gas", gas)
	}
	args, err := marketABI(t).Methods["createJob"].Inputs.Unpack(c.sent.Data()[4:])
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(args[1], []common.Address{{8}, {9}}) || len(args[2].([]byte)) != 0 {
		t.Errorf("sent %v", args)
	}
	c.logs = []*types.Log{}
	if _, _, err := predeploy.NewMarket(client).CreateJob(t.Context(), s, predeploy.JobOrder{}); err == nil {
		t.Error("nothing was ordered, and no error")
	}
}

func TestSubmitResultPacksReceiptAndSignature(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	r := receipt.Receipt{Version: 1, Order: common.Hash{2}, Price: market.Units(3), FinishedAt: 4}
	sig, err := receipt.Sign(account{}, receipt.Domain{ChainID: 5, Market: contracts.MarketAddress}, r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = predeploy.NewMarket(client).SubmitResult(t.Context(), predeploy.NewSender(client, account{}), 7, predeploy.JobResult{Receipt: r, Signature: sig, Delivery: common.Hash{8}})
	if err != nil {
		t.Fatal(err)
	}
	args, err := marketABI(t).Methods["submitResult"].Inputs.Unpack(c.sent.Data()[4:])
	if err != nil {
		t.Fatal(err)
	}
	a, b := sig.Compact()
	if args[0] != uint64(7) || args[2] != a || args[3] != b || args[4] != [32]byte{8} || reflect.ValueOf(args[1]).FieldByName("FinishedAt").Uint() != 4 {
		t.Errorf("sent %v", args)
	}
}

func TestJobEventsAreDecoded(t *testing.T) {
	t.Parallel()
	c, client := start(t)
	topic := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
	job := common.BigToHash(big.NewInt(3))
	buyer, miner := common.Address{1}, common.Address{2}
	amount := big.NewInt
	at := predeploy.Position{Block: 5, Tx: common.Hash{1}, Index: 2}
	signed := struct {
		Version                                                 uint8
		Order                                                   [32]byte
		Session                                                 uint64
		Client, Coordinator, Miner                              common.Address
		Model, Class, Output                                    [32]byte
		PromptTokens, CompletionTokens, ComputeMillis, Items    uint64
		PromptRate, CompletionRate, SecondRate, ItemRate, Price *big.Int
		TemperatureMilli, TopPMilli, TopK                       uint32
		Seed, StartedAt, FinishedAt                             uint64
		Level                                                   uint8
		Evidence                                                [32]byte
	}{
		1,
		[32]byte{2},
		0, buyer,
		common.Address{},
		miner,
		[32]byte{3},
		[32]byte{4},
		[32]byte{5},
		6, 7, 8, 81, amount(9), amount(10), amount(101), amount(102), amount(11),
		12, 13, 14, 15, 16, 17, 0,
		[32]byte{18},
	}
	c.logs = []*types.Log{
		logOf(t, "JobCreated", []common.Hash{job, topic(buyer), {7}}, [32]byte{8}, amount(100), amount(20), uint64(9), uint64(10), []common.Address{miner}, []byte("do")),
		logOf(t, "JobAccepted", []common.Hash{job, topic(miner)}, amount(20), uint64(10)),
		logOf(t, "JobSubmitted", []common.Hash{job, topic(miner), {11}}, [32]byte{12}, uint64(13), [32]byte{14}, [32]byte{15}, signed),
		logOf(t, "JobChallenged", []common.Hash{job}, uint64(16)),
		logOf(t, "JobDelivered", []common.Hash{job}, []byte("done")),
		logOf(t, "JobCalledBack", []common.Hash{job, topic(buyer)}, true),
		logOf(t, "JobClosed", []common.Hash{job, topic(buyer), topic(miner)}, uint8(3), amount(1), amount(2), amount(3)),
	}
	units := market.Units
	want := []predeploy.Event{
		&predeploy.JobCreated{Position: at, Job: 3, Client: buyer, Model: common.Hash{7}, Key: common.Hash{8}, Fee: units(100), Bond: units(20), AcceptBy: 9, Deadline: 10, Miners: []common.Address{miner}, Document: []byte("do")},
		&predeploy.JobAccepted{Position: at, Job: 3, Miner: miner, Bond: units(20), DueAt: 10},
		&predeploy.JobSubmitted{Position: at, Job: 3, Miner: miner, Receipt: common.Hash{11}, Delivery: common.Hash{12}, DueAt: 13, R: common.Hash{14}, Vs: common.Hash{15}, Signed: receipt.Receipt{
			Version: 1, Order: common.Hash{2}, Client: buyer, Miner: miner, Model: common.Hash{3}, Class: common.Hash{4}, Output: common.Hash{5},
			PromptTokens: 6, CompletionTokens: 7, ComputeMillis: 8, Items: 81, PromptRate: units(9), CompletionRate: units(10), SecondRate: units(101), ItemRate: units(102), Price: units(11),
			TemperatureMilli: 12, TopPMilli: 13, TopK: 14, Seed: 15, StartedAt: 16, FinishedAt: 17, Evidence: common.Hash{18},
		}},
		&predeploy.JobChallenged{Position: at, Job: 3, DueAt: 16},
		&predeploy.JobDelivered{Position: at, Job: 3, Output: []byte("done")},
		&predeploy.JobCalledBack{Position: at, Job: 3, Client: buyer, Ok: true},
		&predeploy.JobClosed{Position: at, Job: 3, Client: buyer, Miner: miner, Outcome: predeploy.OutcomeDelivered, ToClient: units(1), ToMiner: units(2), Fee: units(3)},
	}
	got, err := predeploy.NewMarket(client).JobEvents(t.Context(), 3, 1, 5)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("event %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}
