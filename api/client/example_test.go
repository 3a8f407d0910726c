package client_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/api/client"
	"github.com/aitbc/aitbc/chainclient"
	"github.com/aitbc/aitbc/internal/secret"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/receipt"
)

// A client that keeps its key: account pays the deposit, spender signs orders
// and vouchers. e2e runs the same against a real network.
func ExampleSession() {
	run := func(ctx context.Context, account, spender receipt.Signer) error {
		coordinator, err := client.New("http://127.0.0.1:18000", secret.Text{})
		if err != nil {
			return err
		}
		node, err := chainclient.New("http://127.0.0.1:8545")
		if err != nil {
			return err
		}
		w := client.Wallet{Coordinator: coordinator, Chain: node, Key: account}
		domain, err := w.Domain(ctx)
		if err != nil {
			return err
		}
		id, err := w.OpenSelf(ctx, market.Coins(5), time.Time{}, spender.Address())
		if err != nil {
			return err
		}
		key, err := w.APIKey(ctx, id, api.ModeSelf, time.Now())
		if err != nil {
			return err
		}
		if coordinator, err = client.New("http://127.0.0.1:18000", secret.New(key.APIKey)); err != nil {
			return err
		}
		s, err := coordinator.Session(ctx, domain, spender)
		if err != nil {
			return err
		}
		s.Keys = client.ChainKeys{Chain: node}
		o, err := s.Submit(ctx, api.SubmitRequest{Model: "aitbc-nano", Prompt: "What is AITBC?"})
		if err != nil {
			return err
		}
		a, err := s.Follow(ctx, o, func(e api.Event) error {
			fmt.Print(e.Text)
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(a.Price.Coins(), a.Matches)
		_, err = s.Vouch(ctx)
		return err
	}
	_ = run
}
