package predeploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/contracts"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// A JobState is a step in a direct job's life.
type JobState uint8

// The states of a direct job. The last two are ends.
const (
	JobStateNone       JobState = 0
	JobStateOpen       JobState = 1
	JobStateAccepted   JobState = 2
	JobStateSubmitted  JobState = 3
	JobStateChallenged JobState = 4
	JobStatePaid       JobState = 5
	JobStateRefunded   JobState = 6
)

// String returns the state's word.
func (s JobState) String() string {
	words := [...]string{"none", "open", "accepted", "submitted", "challenged", "paid", "refunded"}
	if int(s) < len(words) {
		return words[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Ended reports whether the job is paid or refunded.
func (s JobState) Ended() bool { return s == JobStatePaid || s == JobStateRefunded }

// A JobOutcome says how a direct job ended.
type JobOutcome uint8

// The outcomes. Up to OutcomeDelivered the miner was paid.
const (
	OutcomeAcknowledged JobOutcome = 1
	OutcomeUnchallenged JobOutcome = 2
	OutcomeDelivered    JobOutcome = 3
	OutcomeCancelled    JobOutcome = 4
	OutcomeUnaccepted   JobOutcome = 5
	OutcomeLate         JobOutcome = 6
	OutcomeNotDelivered JobOutcome = 7
)

// String returns the outcome's words.
func (o JobOutcome) String() string {
	words := [...]string{"none", "acknowledged", "not challenged", "delivered", "cancelled", "not accepted in time", "no result in time", "not delivered"}
	if int(o) < len(words) {
		return words[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Job is a direct job as the chain has it. Times are seconds since 1970.
type Job struct {
	Client          common.Address
	AcceptBy        uint64
	State           JobState
	Level           uint8
	FeeBps          uint16
	Miner           common.Address // zero until a miner accepts
	DueAt           uint64         // the one deadline of State
	CallbackGas     uint32
	Fee             market.Amount // what the client locked
	Price           market.Amount // what the miner asks of it
	Bond            market.Amount // of the miner; a challenge takes as much
	Deadline        uint64
	ChallengeWindow uint32
	AnswerWindow    uint32
	Spec            common.Hash
	Model           common.Hash
	Class           common.Hash
	SealTo          common.Hash
	Receipt         common.Hash // digest of the receipt
	Delivery        common.Hash // keccak256 of the bytes that answer a challenge
}

// JobOrder is what a client orders a direct job with. Times are seconds since 1970.
type JobOrder struct {
	Spec        common.Hash
	Model       common.Hash
	Class       common.Hash
	SealTo      common.Hash
	Level       uint8
	AcceptBy    uint64
	Deadline    uint64
	CallbackGas uint32
	Miners      []common.Address // who may accept, in any order; none for any
	Document    []byte           // empty, or what Spec is the hash of: it becomes public
	Fee         market.Amount
}

// jobTermsABI is the ABI's tuple.
type jobTermsABI struct {
	Spec, Model, Class, SealTo [32]byte
	Level                      uint8
	AcceptBy, Deadline         uint64
	CallbackGas                uint32
}

// JobParams returns the parameters of direct jobs in force.
func (m *Market) JobParams(ctx context.Context, at chainclient.Block) (contracts.JobParams, error) {
	var p contracts.JobParams
	err := m.readStruct(ctx, at, &p, "jobParams")
	return p, err
}

// Job returns a direct job; one that does not exist has the state [JobStateNone].
func (m *Market) Job(ctx context.Context, id uint64, at chainclient.Block) (Job, error) {
	var j Job
	err := m.readStruct(ctx, at, &j, "job", id)
	return j, err
}

// JobCount returns the number of direct jobs, which is the newest one's.
func (m *Market) JobCount(ctx context.Context, at chainclient.Block) (uint64, error) {
	return readOne[uint64](ctx, &m.contract, at, "jobCount")
}

// JobMiners returns who may accept a direct job; nobody stands for any miner.
func (m *Market) JobMiners(ctx context.Context, id uint64, at chainclient.Block) ([]common.Address, error) {
	return readOne[[]common.Address](ctx, &m.contract, at, "jobMiners", id)
}

// JobsLocked returns what all direct jobs hold.
func (m *Market) JobsLocked(ctx context.Context, at chainclient.Block) (market.Amount, error) {
	return m.readAmount(ctx, at, "jobsLocked")
}

// Typed returns the typed data by which receipts name the job; miners are those that may accept it.
func (j Job) Typed(id uint64, miners []common.Address) receipt.DirectJob {
	return receipt.DirectJob{
		Job: id, Client: j.Client, Spec: j.Spec, Model: j.Model, Class: j.Class, SealTo: j.SealTo, Miners: receipt.Miners(miners),
		Level: j.Level, Fee: j.Fee, AcceptBy: j.AcceptBy, Deadline: j.Deadline, CallbackGas: j.CallbackGas,
	}
}

// CreateJob orders a job, locks its fee, and returns its number.
func (m *Market) CreateJob(ctx context.Context, s *chainclient.Sender, o JobOrder) (uint64, *types.Receipt, error) {
	miners := append([]common.Address{}, o.Miners...) // a list of none, where there are none
	slices.SortFunc(miners, common.Address.Cmp)
	document := o.Document
	if document == nil {
		document = []byte{}
	}
	terms := jobTermsABI{o.Spec, o.Model, o.Class, o.SealTo, o.Level, o.AcceptBy, o.Deadline, o.CallbackGas}
	r, err := m.enqueue(ctx, s, o.Fee, "createJob", terms, miners, document)
	if err != nil {
		return 0, r, err
	}
	e, err := eventOf[*JobCreated](r)
	if err != nil {
		return 0, r, fmt.Errorf("createJob: %w", err)
	}
	return e.Job, r, nil
}

// CancelJob takes back the sender's order that nobody has accepted.
func (m *Market) CancelJob(ctx context.Context, s *chainclient.Sender, id uint64) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "cancelJob", id)
}

// AcceptJob accepts a job as the sender, a miner, with the job's bond.
func (m *Market) AcceptJob(ctx context.Context, s *chainclient.Sender, id uint64, bond market.Amount) (*types.Receipt, error) {
	return m.enqueue(ctx, s, bond, "acceptJob", id)
}

// JobResult is what a miner commits to.
type JobResult struct {
	Receipt   receipt.Receipt
	Signature receipt.Signature // by the miner's signing key
	Delivery  common.Hash       // keccak256 of the bytes that a challenge would be answered with
}

// SubmitResult commits to the result of a job that the sender accepted.
func (m *Market) SubmitResult(ctx context.Context, s *chainclient.Sender, id uint64, result JobResult) (*types.Receipt, error) {
	r, vs := result.Signature.Compact()
	return m.enqueue(ctx, s, market.Amount{}, "submitResult", id, receiptToABI(result.Receipt), r, vs, result.Delivery)
}

// AcknowledgeJob pays the miner at once.
func (m *Market) AcknowledgeJob(ctx context.Context, s *chainclient.Sender, id uint64) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "acknowledgeJob", id)
}

// ChallengeJob says, with the job's bond, that the output was not delivered.
func (m *Market) ChallengeJob(ctx context.Context, s *chainclient.Sender, id uint64, bond market.Amount) (*types.Receipt, error) {
	return m.enqueue(ctx, s, bond, "challengeJob", id)
}

// DeliverJob posts the output, which answers a challenge or calls the client back.
func (m *Market) DeliverJob(ctx context.Context, s *chainclient.Sender, id uint64, output []byte) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "deliverJob", id, output)
}

// ExpireJob ends a job whose deadline has come, if the chain has not yet.
func (m *Market) ExpireJob(ctx context.Context, s *chainclient.Sender, id uint64) (*types.Receipt, error) {
	return m.send(ctx, s, market.Amount{}, "expireJob", id)
}

// JobEvents returns the events of one job in the blocks from to to, in the order of the chain.
func (m *Market) JobEvents(ctx context.Context, id, from, to uint64) ([]Event, error) {
	names := []string{"JobCreated", "JobAccepted", "JobSubmitted", "JobChallenged", "JobDelivered", "JobCalledBack", "JobClosed"}
	return m.events(ctx, from, to, [][]common.Hash{{common.BigToHash(market.Units(id).Big())}}, names...)
}

// eventOf returns the event of type E among the logs of a transaction.
func eventOf[E Event](r *types.Receipt) (E, error) {
	var none E
	for _, log := range r.Logs {
		if log.Address != contracts.MarketAddress {
			continue
		}
		e, err := Decode(*log)
		if errors.Is(err, ErrEvent) {
			continue
		}
		if err != nil {
			return none, err
		}
		if found, ok := e.(E); ok {
			return found, nil
		}
	}
	return none, fmt.Errorf("transaction %s has no %T", r.TxHash, none)
}
