package evm

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A block may take a state away while a request reads it, or between the look at the head and the opening of its state.
func TestAStateTakenAwayIsAskedForAgain(t *testing.T) {
	const (
		taken    = `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"layer stale"}}`
		unopened = `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"historical state c09c is not available"}}`
		indexed  = `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to retrieve log value pointer after last block 36: pebble: not found"}}`
		good     = `{"jsonrpc":"2.0","id":1,"result":"0x2"}`
	)
	read, send := `{"method":"eth_call"}`, `{"method":"eth_sendRawTransaction"}`
	for name, c := range map[string]struct {
		request string
		says    []string // the last one for ever
		want    string
		asked   int
	}{
		"at once":          {read, []string{good}, good, 1},
		"index carried on": {read, []string{indexed, good}, good, 2},
		"taken twice":      {read, []string{taken, unopened, good}, good, 3},
		"indexed late":     {read, []string{unopened, unopened, unopened, unopened, good}, good, 5},
		"pruned":           {read, []string{unopened}, unopened, 1 + len(pauses)},
		"never sent twice": {send, []string{taken, good}, taken, 1},
		"only its text":    {read, []string{`{"result":"historical state"}`}, `{"result":"historical state"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				d := door{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil || string(body) != c.request {
						t.Errorf("asked %q, %v", body, err)
					}
					_, _ = io.WriteString(w, c.says[min(asked, len(c.says)-1)]) // a recorder takes everything
					asked++
				})}
				w := httptest.NewRecorder()
				d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.request)))
				require.Equal(t, c.want, w.Body.String(), "answer")
				require.Equal(t, c.asked, asked)
			})
		})
	}
}
