package node_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// own are our methods on port 26657.
var own = []string{"get_block", "get_tx", "broadcast_tx", "get_balance", "get_proof", "get_anchor", "chain_info", "check"}

// FuzzMethods asks our methods with arbitrary parameters, as GET URIs and as JSON-RPC. The node must answer, and not
// with a failure of its own.
func FuzzMethods(f *testing.F) {
	n := create(f)
	n.start(f)
	for i := range own {
		for _, v := range []string{"", "0x", "latest", "-1", "9223372036854775808", `"5"`, "1e9", "\x00", "{}", "[1]", "null", "true"} {
			f.Add(byte(i), v, v, fmt.Appendf(nil, `{"height":%s}`, v))
		}
		f.Add(byte(i), "1", "0x00000000000000000000000000000000000000000000000000000000000000", []byte(`["0x0b",1,2,3]`))
	}
	client := &http.Client{Timeout: 20 * time.Second}
	f.Fuzz(func(t *testing.T, which byte, height, value string, params []byte) {
		method := own[int(which)%len(own)]
		q := url.Values{"height": {height}, "hash": {value}, "tx": {value}, "address": {value}}
		get, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+n.doors.RPC+"/"+method+"?"+q.Encode(), nil)
		require.NoError(t, err)
		body := bytes.Join([][]byte{[]byte(`{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":`), params, []byte(`}`)}, nil)
		post, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+n.doors.RPC, bytes.NewReader(body))
		require.NoError(t, err)
		post.Header.Set("Content-Type", "application/json")
		for _, req := range []*http.Request{get, post} {
			res, err := client.Do(req)
			require.NoError(t, err)
			out, err := io.ReadAll(io.LimitReader(res.Body, 1<<24))
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			for _, word := range []string{"runtime error", "nil pointer", "reflect:", "panic"} {
				require.NotContains(t, string(out), word, "%s %s %s", req.Method, req.URL, body)
			}
			if req.Method == http.MethodGet {
				require.NotEqual(t, http.StatusInternalServerError, res.StatusCode, "%s: %s", req.URL, out)
			}
		}
	})
}
