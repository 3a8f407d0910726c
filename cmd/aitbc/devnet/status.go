package devnet

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
)

// Service is one door of a network.
type Service struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	What string `json:"what"`
}

// Account is one of the accounts that a devnet made.
type Account struct {
	Name    string         `json:"name"`
	Address common.Address `json:"address"`
	Balance market.Amount  `json:"balance"`
}

// Status is a network as a person wants to see it.
type Status struct {
	Home     string    `json:"home"`
	ChainID  uint64    `json:"chain_id,string"`
	Height   uint64    `json:"height,string"`
	Services []Service `json:"services"`
	Accounts []Account `json:"accounts"`
	Session  uint64    `json:"session,string"`
	Models   []string  `json:"models"`
	Env      string    `json:"env"` // command whose output sets a client up
}

// Services lists the doors of the network.
func (n Network) Services() []Service {
	return []Service{
		{"coordinator", n.APIURL(), "jobs, OpenAI at /v1"},
		{"miner", n.MinerURL(), "health and status"},
		{"wallet", n.WalletURL(), "encrypted keys, signing"},
		{"explorer", n.ExplorerURL(), "block explorer, in a browser"},
		{"marketplace", n.MarketplaceURL(), "the market, in a browser"},
		{"node", n.RPCURL(), "RPC"},
		{"node events", n.EventsURL(), "WebSocket"},
		{"node ethereum", n.EthRPCURL(), "Ethereum JSON-RPC"},
	}
}

// Accounts lists the accounts with their balances at a block.
func (n Network) Accounts(ctx context.Context, at chainclient.Block) ([]Account, error) {
	eth, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		return nil, err
	}
	list := []Account{
		{Name: "client", Address: n.Client},
		{Name: "coordinator", Address: n.Coordinator},
		{Name: "miner", Address: n.Miner},
		{Name: "operator", Address: n.Operator},
	}
	for i, a := range list {
		if list[i].Balance, err = eth.Balance(ctx, a.Address, at); err != nil {
			return nil, fmt.Errorf("balance of the %s: %w", a.Name, err)
		}
	}
	return list, nil
}

// Status asks the running services how the network stands.
func (n Network) Status(ctx context.Context) (Status, error) {
	s := Status{Home: string(n.Home), ChainID: n.ChainID, Session: n.Session, Services: n.Services(), Env: fmt.Sprintf("aitbc env --home %s", n.Home)}
	eth, err := chainclient.New(n.EthRPCURL())
	if err != nil {
		return s, err
	}
	if s.Height, err = eth.BlockNumber(ctx); err != nil {
		return s, fmt.Errorf("ask node: %w", err)
	}
	if s.Accounts, err = n.Accounts(ctx, chainclient.Latest); err != nil {
		return s, err
	}
	remote, err := client.New(n.APIURL(), secret.Text{})
	if err != nil {
		return s, err
	}
	models, err := remote.Models(ctx)
	if err != nil {
		return s, fmt.Errorf("ask coordinator: %w", err)
	}
	for _, m := range models {
		s.Models = append(s.Models, m.ID)
	}
	return s, nil
}
