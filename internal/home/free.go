package home

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
)

// Offsets tried by [FreeOffset]: far from the default ports, and below the
// range from which systems choose ports of outgoing connections.
const (
	firstOffset = 500
	lastOffset  = 5_900
	offsetStep  = 20
)

// FreeOffset finds an offset at which every port of a network is free now.
func FreeOffset(ctx context.Context) (int, error) {
	const choices = (lastOffset - firstOffset) / offsetStep
	start := rand.IntN(choices) //nolint:gosec // only so that two searches at once rarely meet
	for i := range choices {
		offset := firstOffset + (start+i)%choices*offsetStep
		if free(ctx, offset) {
			return offset, nil
		}
	}
	return 0, errors.New("find free ports: none of the offsets tried has all ports free")
}

func free(ctx context.Context, offset int) bool {
	for _, port := range []int{PortCoordinator, PortMiner, PortWallet, PortChainP2P, PortChainRPC, PortChainWS, PortEthRPC, PortEthWS, PortMetrics, PortExplorer, PortMarketplace} {
		addr, err := Loopback(port, offset)
		if err != nil {
			return false
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil || l.Close() != nil {
			return false
		}
	}
	return true
}
