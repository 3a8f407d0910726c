package miner

import (
	"cmp"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

// Status is a snapshot of a miner. It holds nothing private.
type Status struct {
	Phase       Phase          `json:"phase"`
	Reason      string         `json:"reason,omitempty"` // what it waits for
	Miner       common.Address `json:"miner"`
	Version     string         `json:"version"`
	ChainID     uint64         `json:"chain_id,omitempty"`
	Coordinator common.Address `json:"coordinator"`
	Link        string         `json:"link"` // up or down
	LinkError   string         `json:"link_error,omitempty"`
	Slots       int            `json:"slots"`
	Running     []Running      `json:"running"`
	GPUs        []GPU          `json:"gpus,omitempty"` // that the models on offer run on
	Offers      []api.Offer    `json:"offers"`
	Owed        market.Amount  `json:"owed"`     // owed or paid in all, by the coordinator's word
	Credited    market.Amount  `json:"credited"` // paid on the chain
	Limit       market.Amount  `json:"limit"`    // bond set aside
	Totals      Totals         `json:"totals"`
	// Coordinators has each where there are several; the fields above are then of all.
	Coordinators []Joined `json:"coordinators,omitempty"`
}

// Running is a job under way, or one whose result was not acknowledged yet.
type Running struct {
	Job     common.Hash `json:"job_id"`
	Started time.Time   `json:"started"`
	Pieces  int         `json:"pieces"`
}

// Status returns how the miner is.
func (s *Service) Status() Status {
	d, coordinator, _ := s.link.parties()
	st := Status{
		Miner: s.cfg.Signer.Address(), Version: s.cfg.Version, ChainID: d.ChainID, Coordinator: coordinator,
		Link: "up", Slots: s.cfg.Slots, Running: []Running{}, GPUs: s.slots.gpus(), Totals: s.stats.snapshot(),
	}
	if err := s.link.lastErr(); err != nil {
		st.Link, st.LinkError = "down", err.Error()
	}
	for _, o := range s.cfg.Offerings {
		st.Offers = append(st.Offers, o.offer(nil))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Phase, st.Reason = s.phase, s.note
	if s.phase == Working {
		st.Reason = cmp.Or(s.account.obstacle(), s.slots.obstacle())
	}
	st.Owed, st.Credited, st.Limit = s.account.total, s.account.credited, s.account.limit
	for _, j := range s.jobs {
		r := Running{Job: j.id, Started: j.started}
		if j.pieces != nil {
			r.Pieces = j.pieces.len()
		}
		st.Running = append(st.Running, r)
	}
	sortRunning(st.Running)
	return st
}

func sortRunning(jobs []Running) {
	slices.SortFunc(jobs, func(a, b Running) int {
		return cmp.Or(a.Started.Compare(b.Started), a.Job.Cmp(b.Job))
	})
}
