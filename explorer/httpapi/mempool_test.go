package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/explorer/indextest"
)

func TestWhatWaitsIsShownInTheOrderOfItsOffers(t *testing.T) {
	t.Parallel()
	w := start(t, 5)
	p := get[httpapi.Page[httpapi.Waiting]](w, "/api/mempool")
	var got []string
	for _, x := range p.Items {
		got = append(got, x.Tip.String()+"/"+string(rune('0'+x.Nonce%10)))
	}
	if strings.Join(got, " ") != "3/0 1/9 1/0 9/4" || !p.Items[2].Ready || p.Items[3].Ready || p.Items[0].Method != "transfer" || p.Items[0].Value.String() != "5" {
		t.Errorf("%v, %+v", got, p.Items)
	}
	if p = get[httpapi.Page[httpapi.Waiting]](w, "/api/mempool?limit=1"); len(p.Items) != 1 {
		t.Errorf("%d of one", len(p.Items))
	}
	c := get[httpapi.Consensus](w, "/api/consensus")
	if c.Height != 6 || c.Round != 1 || c.Step != "prevote" || c.Ready != 3 || c.Queued != 1 || c.Peers != 2 {
		t.Errorf("%+v", c)
	}
	peers := get[httpapi.Page[httpapi.Peer]](w, "/api/peers")
	if len(peers.Items) != 2 || peers.Items[0].Moniker != "<b>one</b>" || !peers.Items[1].Outbound {
		t.Errorf("%+v", peers)
	}
	if _, _, body := w.ask("GET", "/api/peers", "", ""); strings.Contains(body, "10.1.2") {
		t.Error("where peers are is told")
	}
}

func TestTokensAreShownAsTheySay(t *testing.T) {
	t.Parallel()
	w := start(t, 40)
	holder := w.node.Account(302) // in block 30
	p := get[httpapi.Page[httpapi.Holding]](w, "/api/addresses/"+holder.Hex()+"/tokens")
	if len(p.Items) != 1 || p.Items[0].Token != indextest.Token || *p.Items[0].Balance != "1234" || p.Items[0].Symbol != "TOK" ||
		*p.Items[0].Decimals != 6 || p.Items[0].Name != "<img src=x onerror=alert(1)>" {
		t.Errorf("%+v", p.Items)
	}
	token := get[httpapi.Token](w, "/api/tokens/"+indextest.Token.Hex())
	if token.Total != "1000000" || token.Symbol != "TOK" {
		t.Errorf("%+v", token)
	}
	if status, _, body := w.ask("GET", "/api/tokens/"+holder.Hex(), "", ""); status != http.StatusNotFound {
		t.Errorf("an account as a token: %d %s", status, body)
	}
	moved := get[httpapi.Page[httpapi.Event]](w, "/api/events?name=ERC-20.Transfer&limit=3")
	if len(moved.Items) != 3 || moved.Next == "" {
		t.Errorf("%+v", moved)
	}
}
