package evm

import (
	"bytes"
	"io"
	"maps"
	"net/http"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
)

// maxRequest bounds a request, as go-ethereum does.
const maxRequest = 5 << 20

// asks is how often a request is answered until no block has come in between.
const asks = 4

// door answers the Ethereum JSON-RPC over HTTP. A block that is written to disk takes away the state that a request may
// be reading, which go-ethereum answers with "layer stale": such a request is answered again, by the new state. One that
// sends a transaction is not.
type door struct{ next http.Handler }

var stale, sends = []byte("layer stale"), []byte("eth_send")

func (d door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too large or broken off", http.StatusRequestEntityTooLarge)
		return
	}
	for n := 1; ; n++ {
		r.Body = io.NopCloser(bytes.NewReader(request))
		a := answer{header: http.Header{}, status: http.StatusOK}
		d.next.ServeHTTP(&a, r)
		if n < asks && bytes.Contains(a.body.Bytes(), stale) && !bytes.Contains(request, sends) {
			continue
		}
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body.Bytes()) // whoever asked may have gone
		return
	}
}

// answer keeps a response until it is known to be good. Its size is bounded by the server's.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
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
