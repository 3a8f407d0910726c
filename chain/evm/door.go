package evm

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
)

// maxRequest bounds a request, as go-ethereum does.
const maxRequest = 5 << 20

// pauses are the waits before a request is answered again: none for a block that came in between, and then up to what
// the index of old states may need to know a state that has just left memory.
var pauses = []time.Duration{0, 0, time.Millisecond, 4 * time.Millisecond, 16 * time.Millisecond, 64 * time.Millisecond}

// gone is what go-ethereum says of a state that was taken away under a request: while it was read, or after its block
// was looked up and before it was opened; and of a search of logs that met the index just being carried on.
var gone = [][]byte{[]byte("layer stale"), []byte(`"message":"historical state`), []byte(`"message":"failed to retrieve`)}

var sends = []byte("eth_send")

// door answers the Ethereum JSON-RPC over HTTP. A block that is written to disk takes away the state that a request may
// be reading: such a request is answered again, by the new state. One that sends a transaction is not.
type door struct{ next http.Handler }

func (d door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too large or broken off", http.StatusRequestEntityTooLarge)
		return
	}
	a := d.ask(r, request)
	for _, p := range pauses {
		if !a.gone() || bytes.Contains(request, sends) {
			break
		}
		wait := time.NewTimer(p)
		select {
		case <-r.Context().Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		a = d.ask(r, request)
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // whoever asked may have gone
}

func (d door) ask(r *http.Request, request []byte) *answer {
	r.Body = io.NopCloser(bytes.NewReader(request))
	a := &answer{header: http.Header{}, status: http.StatusOK}
	d.next.ServeHTTP(a, r)
	return a
}

// answer keeps a response until it is known to be good. Its size is bounded by the server's.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// gone reports whether the state was taken away.
func (a *answer) gone() bool {
	return slices.ContainsFunc(gone, func(what []byte) bool { return bytes.Contains(a.body.Bytes(), what) })
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// door puts the door before the services, in place of go-ethereum's own on the same listener.
func (c Config) door(stack *node.Node, services []rpc.API) error {
	if c.HTTP == "" {
		return nil
	}
	n := stack.Config()
	srv := rpc.NewServer()
	srv.SetBatchLimits(n.BatchRequestLimit, n.BatchResponseMaxSize)
	srv.SetHTTPBodyLimit(maxRequest)
	services = append(services, rpc.API{Namespace: "web3", Service: web3{stack}})
	if err := node.RegisterApis(services, n.HTTPModules, srv); err != nil {
		return err
	}
	stack.RegisterHandler("Ethereum JSON-RPC", "/", node.NewHTTPHandlerStack(door{srv}, n.HTTPCors, n.HTTPVirtualHosts, nil, false))
	return nil
}

// web3 is the namespace that go-ethereum's own door adds.
type web3 struct{ stack *node.Node }

// ClientVersion names the program.
func (w web3) ClientVersion() string { return w.stack.Server().Name }

// Sha3 is the keccak hash of the input.
func (web3) Sha3(input hexutil.Bytes) hexutil.Bytes { return crypto.Keccak256(input) }
