package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/chainclient/predeploy"
	"github.com/aitbc/aitbc/explorer/bech32"
	"github.com/aitbc/aitbc/explorer/index"
	"github.com/aitbc/aitbc/httpx"
)

// addressOf reads an address in either spelling.
func addressOf(text string) (common.Address, error) {
	if strings.HasPrefix(strings.ToLower(text), bech32.Prefix+"1") {
		a, err := bech32.Decode(text)
		if err != nil {
			return a, apierr.Wrap(err, apierr.Invalid, "the address is mistyped: its checksum does not fit")
		}
		return a, nil
	}
	if len(text) != 42 || !common.IsHexAddress(text) {
		return common.Address{}, apierr.New(apierr.Invalid, "an address is 0x and 40 hex digits, or aitbc1 and 38 letters")
	}
	return common.HexToAddress(text), nil
}

func (s *Server) address(w http.ResponseWriter, r *http.Request) error {
	a, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	release, err := s.busy.Claim(r.Context())
	if err != nil {
		return err
	}
	defer release()
	head, err := s.Eth.BlockNumber(r.Context())
	if err != nil {
		return node(err)
	}
	at := chainclient.At(head)
	out := Address{Address: a, Bech32: bech32.Encode(a), Contract: index.Contracts()[a].Name, Delegations: []Delegation{}, Unbonding: []Unbonding{}}
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() (err error) { out.Balance, err = s.Eth.Balance(ctx, a, at); return err })
	g.Go(func() (err error) { out.Nonce, err = s.Eth.Nonce(ctx, a, at); return err })
	g.Go(func() error {
		var code hexutil.Bytes
		err := s.Eth.Call(ctx, &code, "eth_getCode", a, at)
		out.Code = len(code) > 0
		return err
	})
	g.Go(func() (err error) { out.Waiting, err = predeploy.NewMarket(s.Eth).Withdrawable(ctx, a, at); return err })
	g.Go(func() (err error) { out.Miner, err = s.participant(ctx, predeploy.RoleMiner, a, at); return err })
	g.Go(func() (err error) {
		out.Coordinator, err = s.participant(ctx, predeploy.RoleCoordinator, a, at)
		return err
	})
	g.Go(func() error { return s.stake(ctx, a, at, &out) })
	if err := g.Wait(); err != nil {
		return node(err)
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) participant(ctx context.Context, role predeploy.Role, a common.Address, at chainclient.Block) (*Participant, error) {
	p, err := predeploy.NewRegistry(s.Eth).Participant(ctx, role, a, at)
	if err != nil || !p.Registered {
		return nil, err
	}
	return &Participant{Stake: p.Stake, Unbonding: p.Unbonding, Signer: p.Signer, Endpoint: p.Endpoint, JailedUntil: p.JailedUntil}, nil
}

// stake adds what an account has with validators.
func (s *Server) stake(ctx context.Context, a common.Address, at chainclient.Block, out *Address) error {
	staking := predeploy.NewStaking(s.Eth)
	_, err := staking.Validator(ctx, a, at)
	if e, refused := errors.AsType[*chainclient.RevertError](err); refused && e.Name == "UnknownValidator" {
		err = nil
	} else {
		out.Validator = err == nil
	}
	if err != nil {
		return err
	}
	if op, err := staking.Operator(ctx, a, at); err != nil {
		return err
	} else if op != (common.Address{}) {
		out.Operator = &op
	}
	operators, err := staking.DelegationsOf(ctx, a, at)
	if err != nil {
		return err
	}
	for _, op := range operators {
		d, err := staking.Delegation(ctx, a, op, at)
		if err != nil {
			return err
		}
		due, err := staking.Rewards(ctx, a, op, at)
		if err != nil {
			return err
		}
		out.Delegations = append(out.Delegations, Delegation{Operator: op, Amount: d.Amount, Rewards: due})
	}
	leaving, err := staking.Unbondings(ctx, a, at)
	if err != nil {
		return err
	}
	for _, u := range leaving {
		out.Unbonding = append(out.Unbonding, Unbonding{Operator: u.Operator, Amount: u.Amount, DueAt: u.DueAt})
	}
	return nil
}

var sessionStates = map[predeploy.SessionState]string{predeploy.StateOpen: "open", predeploy.StateClosing: "closing", predeploy.StateClosed: "closed"}

func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r.PathValue("id"), "session")
	if err != nil {
		return err
	}
	v, err := predeploy.NewMarket(s.Eth).Session(r.Context(), id, chainclient.Latest)
	if err != nil {
		return node(err)
	}
	if v.State == predeploy.StateNone {
		return apierr.New(apierr.NotFound, "there is no session %d", id)
	}
	httpx.WriteJSON(w, http.StatusOK, Session{
		ID: id, State: sessionStates[v.State], Client: v.Client, Coordinator: v.Coordinator, Spender: v.Spender, Deposit: v.Deposit,
		Debited: v.Debited, Through: v.Through, Expiry: v.Expiry, DueAt: v.DueAt, FeeBps: v.FeeBps,
	})
	return nil
}

func (s *Server) job(w http.ResponseWriter, r *http.Request) error {
	id, err := number(r.PathValue("id"), "job")
	if err != nil {
		return err
	}
	v, err := predeploy.NewMarket(s.Eth).Job(r.Context(), id, chainclient.Latest)
	if err != nil {
		if e, ok := errors.AsType[*chainclient.RevertError](err); ok {
			return apierr.Wrap(e, apierr.NotFound, "there is no such direct job")
		}
		return node(err)
	}
	if v.Client == (common.Address{}) {
		return apierr.New(apierr.NotFound, "there is no direct job %d", id)
	}
	httpx.WriteJSON(w, http.StatusOK, Job{
		ID: id, State: v.State.String(), Client: v.Client, Miner: v.Miner, Model: v.Model, Class: v.Class, Fee: v.Fee, Price: v.Price,
		Bond: v.Bond, AcceptBy: v.AcceptBy, Deadline: v.Deadline, DueAt: v.DueAt, Receipt: v.Receipt,
	})
	return nil
}
