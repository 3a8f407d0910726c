package home_test

import (
	"net"
	"testing"

	"github.com/aitbc/aitbc/internal/home"
)

func TestFreeOffsetHasItsPortsFree(t *testing.T) {
	t.Parallel()
	offset, err := home.FreeOffset(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{home.PortCoordinator, home.PortChainP2P, home.PortEthWS} {
		addr, err := home.Loopback(port, offset)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
