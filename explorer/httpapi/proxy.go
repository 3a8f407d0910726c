package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/market"
	"github.com/aitbc/aitbc/web/origin"
)

func hexAmount(text string) (market.Amount, error) {
	n, err := hexutil.DecodeBig(text)
	if err != nil {
		return market.Amount{}, err
	}
	return market.AmountFromBig(n)
}

// coordinatorPaths are what a page may ask a coordinator for; receipts need the
// client's own key.
var coordinatorPaths = []string{"network", "models", "miners", "receipts"}

func (s *Server) coordinator(w http.ResponseWriter, r *http.Request) error {
	path := r.PathValue("path")
	first, id, _ := strings.Cut(path, "/")
	if !slices.Contains(coordinatorPaths, first) || (id != "" && first != "receipts") || strings.Contains(id, "/") {
		return apierr.New(apierr.Forbidden, "the explorer does not pass this on: ask the coordinator")
	}
	if id != "" {
		if _, err := hashOf(id, "receipt"); err != nil {
			return err
		}
	}
	return origin.Relay{To: s.Coordinator, Name: "coordinator"}.Forward(w, r, "/v1/"+path)
}
