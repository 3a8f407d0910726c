package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/weights"
)

const (
	describeWithin = 10 * time.Second // a server that is asked about itself answers
	maxAboutBytes  = 8 << 20
	sameFor        = 5 * time.Second // a server is not asked more often whether it has still the same model
)

// about is what a server says of one of its models.
type about struct {
	build      string // of the server, as in "ollama/0.17.4"
	weights    string // path of the file with the weights, "" if it is not told
	state      string // another if the model is another; "" if that cannot be seen
	context    uint64
	parameters uint64
}

// Describe returns the model of that name, and what the server shows of it. Weights
// that lie in a GGUF file which this process can read are named by their own digest, as the
// exact engine names them; others are claimed. It returns [engine.ErrUnavailable]
// if the server does not answer, and [engine.ErrChanged] if it has no such model.
func (s *Server) Describe(ctx context.Context, name string) (*Model, error) {
	a, err := s.about(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", name, err)
	}
	m := s.Model(name, a.context)
	m.known, m.build = a.state, a.build
	m.info.Parameters = a.parameters
	if a.build != "" {
		m.info.Class = "claimed;engine=" + a.build
	}
	if a.weights == "" || !s.here() {
		return m, nil
	}
	w, err := weights.Open(a.weights)
	if err != nil { // not ours to read, or of a kind that we do not know
		return m, nil //nolint:nilerr // then it is claimed
	}
	m.info.Claimed, m.info.Digest, m.info.Parameters = false, w.Digest, w.Parameters
	m.info.Class = "server/1;engine=" + a.build + ";arch=" + w.Arch + ";quant=" + w.Quant + ";det=none"
	return m, nil
}

// Parameters returns how many weights the server says a model has, 0 if it does not.
func (s *Server) Parameters(ctx context.Context, name string) uint64 {
	a, err := s.about(ctx, name)
	if err != nil {
		return 0
	}
	return a.parameters
}

// here says whether the server runs on this machine: the paths that it names are ours.
func (s *Server) here() bool {
	u, err := url.Parse(s.cfg.BaseURL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// about asks each kind of server by what only it has.
func (s *Server) about(ctx context.Context, name string) (about, error) {
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	for _, ask := range []func(context.Context, string) (about, error){s.ollama, s.llamaServer, s.vllm} {
		a, err := ask(ctx, name)
		if err == nil || !errors.Is(err, errOtherKind) {
			return a, err
		}
	}
	has, err := s.Models(ctx)
	if err != nil {
		return about{}, err
	}
	if !slices.Contains(has, name) {
		return about{}, fmt.Errorf("%w: it has no model %q", engine.ErrChanged, name)
	}
	return about{}, nil
}

// errOtherKind says that a server is not of the kind that was asked for.
var errOtherKind = errors.New("another kind of server")

// tell asks what is not OpenAI's, beside the base URL. An answer that cannot be
// read says that the server is of another kind.
func (s *Server) tell(ctx context.Context, path string, in, out any) error {
	method, body := http.MethodGet, []byte(nil)
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.cfg.BaseURL, "/v1")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !s.cfg.APIKey.Empty() {
		req.Header.Set("Authorization", "Bearer "+s.cfg.APIKey.Reveal())
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAboutBytes))
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(raw, out) != nil {
		return fmt.Errorf("%w: status %d", errOtherKind, resp.StatusCode)
	}
	return nil
}

// fromBlob finds the file of the weights in what Ollama says a model is made of.
var fromBlob = regexp.MustCompile(`(?m)^FROM (/.+|[A-Za-z]:\\.+)$`)

func (s *Server) ollama(ctx context.Context, name string) (about, error) {
	var version struct{ Version string }
	if err := s.tell(ctx, "/api/version", nil, &version); err != nil {
		return about{}, err
	}
	var tags struct {
		Models []struct{ Name, Digest string }
	}
	if err := s.tell(ctx, "/api/tags", nil, &tags); err != nil {
		return about{}, err
	}
	if version.Version == "" {
		return about{}, errOtherKind
	}
	a := about{build: "ollama/" + weights.Word(version.Version)}
	for _, m := range tags.Models {
		if m.Name == name || m.Name == name+":latest" {
			a.state = a.build + " " + m.Digest
		}
	}
	if a.state == "" {
		return a, fmt.Errorf("%w: Ollama has no model %q", engine.ErrChanged, name)
	}
	var show struct {
		Modelfile string
		Info      map[string]json.RawMessage `json:"model_info"`
	}
	if err := s.tell(ctx, "/api/show", map[string]string{"model": name}, &show); err != nil {
		return a, err
	}
	if path := fromBlob.FindStringSubmatch(show.Modelfile); path != nil {
		a.weights = strings.TrimSpace(path[1])
	}
	for key, raw := range show.Info {
		if strings.HasSuffix(key, ".context_length") {
			_ = json.Unmarshal(raw, &a.context) // 0 is unknown
		}
		if key == "general.parameter_count" {
			_ = json.Unmarshal(raw, &a.parameters) // 0 is unknown
		}
	}
	return a, nil
}

func (s *Server) llamaServer(ctx context.Context, _ string) (about, error) {
	var props struct {
		Path     string `json:"model_path"`
		Build    string `json:"build_info"`
		Defaults struct {
			Context uint64 `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if err := s.tell(ctx, "/props", nil, &props); err != nil {
		return about{}, err
	}
	if props.Build == "" || props.Path == "" {
		return about{}, errOtherKind
	}
	build := "llama.cpp/" + weights.Word(props.Build)
	return about{build: build, weights: props.Path, context: props.Defaults.Context, state: build + " " + props.Path + " " + stamp(props.Path)}, nil
}

func (s *Server) vllm(ctx context.Context, name string) (about, error) {
	var version struct{ Version string }
	if err := s.tell(ctx, "/version", nil, &version); err != nil {
		return about{}, err
	}
	var list struct {
		Data []struct {
			ID      string `json:"id"`
			OwnedBy string `json:"owned_by"`
			Root    string `json:"root"`
			Longest uint64 `json:"max_model_len"`
		} `json:"data"`
	}
	if err := s.tell(ctx, "/v1/models", nil, &list); err != nil {
		return about{}, err
	}
	for _, m := range list.Data {
		if m.OwnedBy != "vllm" {
			continue
		}
		if m.ID == name {
			build := "vllm/" + weights.Word(version.Version)
			return about{build: build, context: m.Longest, state: fmt.Sprintf("%s %s %d", build, m.Root, m.Longest)}, nil
		}
	}
	if len(list.Data) > 0 && list.Data[0].OwnedBy == "vllm" {
		return about{}, fmt.Errorf("%w: vLLM has no model %q", engine.ErrChanged, name)
	}
	return about{}, errOtherKind
}

// Memory returns how much memory the server says the model takes, 0 if it does
// not: Ollama does.
func (m *Model) Memory(ctx context.Context) uint64 {
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	var loaded struct {
		Models []struct {
			Name string
			Size uint64
		}
	}
	if m.server.tell(ctx, "/api/ps", nil, &loaded) != nil {
		return 0
	}
	for _, l := range loaded.Models {
		if l.Name == m.info.Name || l.Name == m.info.Name+":latest" {
			return l.Size
		}
	}
	return 0
}

// stamp tells whether a file was changed, as far as can be seen: "" if it cannot.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}

// sameness remembers when a model was last seen to be the one on offer.
type sameness struct {
	mu   sync.Mutex // guards the field below
	seen time.Time
}

// same returns nil if the server has still the model that [Server.Describe] saw,
// else [engine.ErrChanged].
func (m *Model) same(ctx context.Context, now time.Time) error {
	if m.known == "" {
		return nil
	}
	m.sameness.mu.Lock()
	fresh := now.Sub(m.sameness.seen) < sameFor
	m.sameness.mu.Unlock()
	if fresh {
		return nil
	}
	a, err := m.server.about(ctx, m.info.Name)
	if err != nil {
		return err
	}
	if a.state != m.known {
		return fmt.Errorf("%w: it was %q and is %q", engine.ErrChanged, m.known, a.state)
	}
	m.sameness.mu.Lock()
	defer m.sameness.mu.Unlock()
	m.sameness.seen = now
	return nil
}
