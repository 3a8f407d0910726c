package setup

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/home"
)

// Member is one node of a new network.
type Member struct {
	Home home.Home
	// Config is written to the home, with the other members as peers.
	Config config.Config
}

// Testnet makes the homes of a network whose members are all validators of the same power and know each other. Home and
// Config of the options are not used, except that the network's consensus mode is the Config's. It returns
// home.ErrExists if one of the homes is there; no home that it made stays if anything fails.
func Testnet(o Options, members []Member) (results []*Result, err error) {
	if len(members) == 0 {
		return nil, errors.New("testnet: no members")
	}
	id, err := o.chainID()
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		if err := m.Config.Validate(); err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		if _, port, err := net.SplitHostPort(m.Config.Listen.P2P); err != nil || port == "0" {
			return nil, fmt.Errorf("member %d: its peers cannot find it at %q", i, m.Config.Listen.P2P)
		}
	}
	keys := make([]home.Keys, len(members))
	defer func() {
		if err == nil {
			return
		}
		for i, k := range keys {
			if k.Node != nil {
				err = errors.Join(err, members[i].Home.Remove())
			}
		}
	}()
	for i, m := range members {
		if keys[i], err = m.Home.Create(); err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
	}
	n, err := o.network(id, keys)
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		c := m.Config
		c.P2P.Peers = slices.Clone(c.P2P.Peers)
		for j, peer := range members {
			if j != i {
				c.P2P.Peers = append(c.P2P.Peers, string(keys[j].Node.ID())+"@"+peer.Config.Listen.P2P)
			}
		}
		r, err := n.write(m.Home, c, keys[i])
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		results = append(results, r)
	}
	return results, nil
}
