// Package openai runs requests on another server that speaks OpenAI's HTTP API:
// Ollama (at its /v1), llama-server, vLLM and others.
//
// Of Ollama and llama-server on this machine the weights are read and named by their own digest. Any other server's
// models are claimed: their digest is Keccak-256("claimed:" ‖ name) and their class begins with "claimed". A model
// that is another one day than when it was described is not run.
package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/sha3"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/internal/secret"
)

// Limits on what a server may answer.
const (
	maxModels    = 10_000
	maxListBytes = 8 << 20
	maxErrorText = 4 << 10
)

// Config says which server to use and how long to wait for it.
type Config struct {
	// BaseURL is the address that "/chat/completions" is added to, as in
	// http://127.0.0.1:11434/v1.
	BaseURL string
	// APIKey is sent as a bearer token, if there is one.
	APIKey secret.Text
	// FirstWait bounds the time to the first byte of an answer, in which a server
	// may load a model; 0 means 5 minutes.
	FirstWait time.Duration
	// IdleWait bounds the silence within an answer; 0 means 1 minute.
	IdleWait time.Duration
	// MaxAnswer bounds the bytes of one answer's stream; 0 means 64 MiB.
	MaxAnswer int64
}

// Server is a model server. It is safe for concurrent use.
type Server struct {
	cfg  Config
	http *http.Client
}

// New checks the configuration; it does not connect.
func New(cfg Config) (*Server, error) {
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("base URL %q is not like http://127.0.0.1:11434/v1", cfg.BaseURL)
	}
	if cfg.FirstWait < 0 || cfg.IdleWait < 0 || cfg.MaxAnswer < 0 {
		return nil, errors.New("a limit is negative")
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.FirstWait == 0 {
		cfg.FirstWait = 5 * time.Minute
	}
	if cfg.IdleWait == 0 {
		cfg.IdleWait = time.Minute
	}
	if cfg.MaxAnswer == 0 {
		cfg.MaxAnswer = 64 << 20
	}
	return &Server{cfg: cfg, http: &http.Client{
		Transport: &http.Transport{ResponseHeaderTimeout: cfg.FirstWait, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, Proxy: http.ProxyFromEnvironment},
		// A redirect could carry prompts and the key to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// StatusError is an answer of the server other than success. It wraps
// engine.ErrBadRequest or engine.ErrUnavailable.
type StatusError struct {
	Status  int
	Message string
}

// Error tells the status and what the server said.
func (e *StatusError) Error() string {
	return fmt.Sprintf("model server answered %d: %s", e.Status, e.Message)
}

// Unwrap sorts the status: requests that can never work, those that this server cannot do, and servers that may work later.
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return engine.ErrBadRequest
	case http.StatusNotImplemented: // llama-server's word for what it was not started for
		return engine.ErrUnsupported
	}
	return engine.ErrUnavailable
}

// Models lists the names of the models that the server has.
func (s *Server) Models(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := s.send(ctx, http.MethodGet, "/models", nil)
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("list models: %w: %w", engine.ErrUnavailable, err)
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if len(body) > maxListBytes {
		return nil, fmt.Errorf("list models: %w: more than %d bytes", engine.ErrUnavailable, maxListBytes)
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("list models: %w: %w", engine.ErrUnavailable, err)
	}
	if len(list.Data) > maxModels {
		return nil, fmt.Errorf("list models: %w: more than %d", engine.ErrUnavailable, maxModels)
	}
	names := make([]string, 0, len(list.Data))
	for _, m := range list.Data {
		if m.ID != "" {
			names = append(names, m.ID)
		}
	}
	return names, nil
}

// send makes a request and returns only answers with status 200.
func (s *Server) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.cfg.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !s.cfg.APIKey.Empty() {
		req.Header.Set("Authorization", "Bearer "+s.cfg.APIKey.Reveal())
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText)) // what came is what there is to tell
	return nil, &StatusError{Status: resp.StatusCode, Message: errorText(said)}
}

// errorText finds the message in an error of OpenAI's or Ollama's form.
func errorText(body []byte) string {
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && len(e.Error) > 0 {
		var object struct {
			Message string `json:"message"`
		}
		var text string
		if json.Unmarshal(e.Error, &object) == nil && object.Message != "" {
			return object.Message
		}
		if json.Unmarshal(e.Error, &text) == nil && text != "" {
			return text
		}
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(body)), "\uFFFD")
}

// Model is a model on a server. It implements [engine.Model].
type Model struct {
	server   *Server
	info     engine.Info
	build    string // of the server, as in "vllm/0.11.0", "" if it is not told
	known    string // state of the model as it was described, "" if that is not seen
	sameness sameness
}

var _ engine.Model = (*Model)(nil)

// Model returns the model of that name, as claimed; context is its context length, 0 if
// unknown. Whether the server has it is seen at the first request.
func (s *Server) Model(name string, context uint64) *Model {
	return &Model{server: s, info: engine.Info{Name: name, Digest: ClaimedDigest(name), Class: "claimed", Claimed: true, ContextLength: context}}
}

// ClaimedDigest stands for the weights of a model that nobody has shown.
func ClaimedDigest(name string) [32]byte {
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte("claimed:" + name))
	return [32]byte(h.Sum(nil))
}

// Info describes the model.
func (m *Model) Info() engine.Info { return m.info }

// Close does nothing; the server keeps its models.
func (m *Model) Close() error { return nil }
