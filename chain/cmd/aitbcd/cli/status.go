package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aitbc/aitbc/chain/rpc"
)

// health is what status tells.
type health struct {
	rpc.Info
	AppHash    string `json:"app_hash"`
	CatchingUp bool   `json:"catching_up"`
	// Power is the voting power of the node's key: 0 if it is no validator now.
	Power     int64         `json:"voting_power"`
	Validates bool          `json:"is_validator"`
	NodeID    string        `json:"node_id"`
	CometBFT  string        `json:"cometbft_version"`
	Peers     []healthyPeer `json:"peers"`
}

type healthyPeer struct {
	ID      string `json:"node_id"`
	Address string `json:"address"`
	Version string `json:"cometbft_version"`
	Dialed  bool   `json:"dialed"`
}

// cometStatus and cometPeers are what is used of CometBFT's answers; it writes 64-bit numbers as strings.
type cometStatus struct {
	NodeInfo struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	} `json:"node_info"`
	SyncInfo struct {
		CatchingUp bool `json:"catching_up"`
	} `json:"sync_info"`
	ValidatorInfo struct {
		VotingPower string `json:"voting_power"`
	} `json:"validator_info"`
}

type cometPeers struct {
	Peers []struct {
		NodeInfo struct {
			ID      string `json:"id"`
			Version string `json:"version"`
		} `json:"node_info"`
		Outbound bool   `json:"is_outbound"`
		RemoteIP string `json:"remote_ip"`
	} `json:"peers"`
}

func status(ctx context.Context, c *call) error {
	node := c.flags.String("node", "", "host:port of another node's RPC (default: the one of this home)")
	if err := c.parse(); err != nil {
		return err
	}
	address := *node
	if address == "" {
		_, conf, err := c.settings()
		if err != nil {
			return err
		}
		address = conf.Listen.RPC
	}
	h, err := look(ctx, address)
	if err != nil {
		return err
	}
	if *c.json {
		return c.print(h)
	}
	c.showHealth(h)
	return nil
}

// look asks a node how it is.
func look(ctx context.Context, address string) (*health, error) {
	h := &health{Peers: []healthyPeer{}}
	var s cometStatus
	var p cometPeers
	if err := errors.Join(
		ask(ctx, address, "chain_info", nil, &h.Info), ask(ctx, address, "status", nil, &s), ask(ctx, address, "net_info", nil, &p),
	); err != nil {
		if errors.Is(err, errDown) {
			return nil, fmt.Errorf("%w at %s", errDown, address) // once, not three times
		}
		return nil, err
	}
	power, err := strconv.ParseInt(s.ValidatorInfo.VotingPower, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("ask %s: voting power: %w", address, err)
	}
	h.AppHash = h.Hash.Hex() // the app hash is the block hash
	h.CatchingUp, h.Power, h.Validates = s.SyncInfo.CatchingUp, power, power > 0
	h.NodeID, h.CometBFT = s.NodeInfo.ID, s.NodeInfo.Version
	for _, peer := range p.Peers {
		h.Peers = append(h.Peers, healthyPeer{peer.NodeInfo.ID, peer.RemoteIP, peer.NodeInfo.Version, peer.Outbound})
	}
	return h, nil
}

func (c *call) showHealth(h *health) {
	role := "no, it follows"
	if h.Validates {
		role = fmt.Sprintf("yes, with power %d", h.Power)
	}
	sync := "in step"
	if h.CatchingUp {
		sync = "catching up"
	}
	age := time.Since(h.Time).Round(time.Millisecond) //nolint:forbidigo // what an operator wants to know
	fmt.Fprintf(c.Stdout, "chain      %s (%s)\nheight     %d, %s, %v ago, %s\napp hash   %s\nvalidator  %s: %s\nnode       %s\npool       %d pending, %d queued\nversion    aitbcd %s, CometBFT %s\npeers      %d\n",
		h.CometID, h.ConsensusMode, h.Height, h.Time.Format("2006-01-02 15:04:05.000 MST"), age, sync, h.AppHash, h.Validator, role, h.NodeID,
		h.Pending, h.Queued, h.Version, h.CometBFT, len(h.Peers))
	for _, p := range h.Peers {
		fmt.Fprintf(c.Stdout, "           %s at %s\n", p.ID, p.Address)
	}
	if h.FailedCalls > 0 {
		fmt.Fprintf(c.Stdout, "ATTENTION  %d system calls failed since the node started\n", h.FailedCalls)
	}
}
