package coordinator_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/market"
)

func TestARevokedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	m := h.miner(1)
	first, second := h.key, h.openSession(2, market.Coins(1))
	id := h.submit("hello")
	list := must[api.KeyList](h, 200, second, "GET", "/v1/keys", nil)
	if len(list.Keys) != 2 {
		t.Fatalf("%+v", list)
	}
	var old common.Hash
	for _, k := range list.Keys {
		if k.Current != (k.Session == 2) || k.CreatedAt == 0 {
			t.Fatalf("%+v", k)
		}
		if !k.Current {
			old = k.ID
		}
	}
	h.refused(404, "not_found", second, "DELETE", "/v1/keys/"+common.Hash{1}.Hex(), nil)
	h.refused(403, "forbidden", m.api, "GET", "/v1/keys", nil)
	must[map[string]string](h, 200, second, "DELETE", "/v1/keys/"+old.Hex(), nil)
	h.refused(401, "unauthorized", first, "GET", "/v1/account", nil)
	h.refused(401, "unauthorized", first, "POST", "/v1/jobs", h.order(func(*api.SubmitRequest) {}))
	h.refused(404, "not_found", second, "DELETE", "/v1/keys/"+old.Hex(), nil)
	if a := m.claim(); a.JobID != id {
		t.Fatalf("what it ordered does not go on: %+v", a)
	} else {
		m.finish(a, "x")
	}
	h.restart()
	h.refused(401, "unauthorized", first, "GET", "/v1/account", nil)
	h.balanced()
}
