//go:build linux

package compose_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitbc/aitbc/e2e/network"
	"github.com/aitbc/aitbc/internal/dockertest"
)

// project is the network of docker-compose.dev.yml on an engine of the test's own.
type project struct {
	t      *testing.T
	engine *dockertest.Engine
	root   string
	env    []string
}

// newProject returns nil where the test has run elsewhere.
func newProject(t *testing.T) *project {
	t.Helper()
	if _, err := exec.LookPath("docker-compose"); err != nil {
		if os.Getenv(dockertest.Require) != "" {
			t.Fatal("there is no docker-compose: install Debian's package")
		}
		t.Skip("there is no docker-compose: install Debian's package")
	}
	root, err := network.Repository()
	if err != nil {
		t.Fatal(err)
	}
	// The image is made of bin/, which is where the programs are that the other tests use.
	if dir := network.Binaries(t); dir != filepath.Join(root, "bin") {
		t.Skipf("the image is made of bin/, and the programs are in %s: run make test-e2e", dir)
	}
	engine := dockertest.Networked(t)
	if engine == nil {
		return nil
	}
	p := &project{t: t, engine: engine, root: root, env: append(os.Environ(), "DOCKER_HOST=unix://"+engine.Socket, "COMPOSE_PROJECT_NAME=quick",
		"COMPOSE_FILE="+filepath.Join(root, "docker-compose.dev.yml"), "AITBC_CLI_CONTAINER=1", "LOG_LEVEL=info")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.try("docker-compose", "logs", "--no-color", "--tail", "40"))
		}
		p.run("docker-compose", "down", "--volumes")
	})
	return p
}

// try runs a program in the repository and returns what it printed.
func (p *project) try(name string, args ...string) (stdout string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = p.root, p.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err = cmd.Run(); err != nil {
		return out.String() + errs.String(), err
	}
	return out.String(), nil
}

func (p *project) run(name string, args ...string) string {
	p.t.Helper()
	out, err := p.try(name, args...)
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// page has the commands of docs/DOCKER.md, one after another.
func (p *project) page() []string {
	p.t.Helper()
	blocks, err := network.Blocks("docs/DOCKER.md")
	if err != nil || len(blocks) != 3 {
		p.t.Fatalf("%d blocks of commands, %v, want 3", len(blocks), err)
	}
	// The third is what this test runs on: the services made of bin/, in the foreground.
	if !strings.Contains(blocks[2], "make build\n") || !strings.Contains(blocks[2], "-f docker-compose.dev.yml up --build") {
		p.t.Errorf("the page has for developers: %s", blocks[2])
	}
	return strings.Split(blocks[0]+"\n"+blocks[1], "\n")
}

// next runs the page's next command, in which a word must stand, and returns what it printed.
func (p *project) next(page *[]string, word string) string {
	p.t.Helper()
	if len(*page) == 0 || !strings.Contains((*page)[0], word) {
		p.t.Fatalf("the page goes on with %q, want a command with %q", *page, word)
	}
	line := (*page)[0]
	*page = (*page)[1:]
	return p.run("bash", "-c", line)
}

// cli is the command line of the specification, which finds no local program.
func (p *project) cli(args ...string) string {
	p.t.Helper()
	return p.run(filepath.Join(p.root, "aitbc-cli.sh"), args...)
}

var services = []string{"blockchain", "coordinator", "miner", "wallet-daemon", "explorer", "marketplace"}

type container struct {
	ID     string `json:"Id"`
	Names  []string
	Status string
}

// healthy waits until all services are.
func (p *project) healthy() map[string]string {
	p.t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var list []container
		p.engine.Get(p.t, "/containers/json?all=1", &list)
		up := map[string]string{}
		for _, c := range list {
			for _, s := range services {
				if strings.Contains(c.Names[0], "quick_"+s+"_") && strings.Contains(c.Status, "(healthy)") {
					up[s] = c.ID
				}
			}
		}
		if len(up) == len(services) {
			return up
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("not all are healthy: %+v", list)
		}
	}
}

func (p *project) get(url string) string { return p.ask(http.MethodGet, url, "") }

func (p *project) post(url, body string) string { return p.ask(http.MethodPost, url, body) }

func (p *project) ask(method, url, body string) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %s %v", url, resp.StatusCode, b, err)
	}
	return string(b)
}

// The quick start as the specification prints it: all services come up healthy, its commands work, a job is ordered,
// paid and proved, and a restart of one service or of all loses nothing.
func TestQuickStart(t *testing.T) {
	p := newProject(t)
	if p == nil {
		return
	}
	page := p.page()
	p.next(&page, "up -d")
	up := p.healthy()
	for s, id := range up {
		var c struct {
			Config     struct{ User string }
			HostConfig struct {
				ReadonlyRootfs bool
				CapDrop        []string
				SecurityOpt    []string
				PortBindings   map[string][]struct {
					IP string `json:"HostIp"`
				}
			}
		}
		p.engine.Get(t, "/containers/"+id+"/json", &c)
		if h := c.HostConfig; c.Config.User != "10001:10001" || !h.ReadonlyRootfs || !slices.Equal(h.CapDrop, []string{"ALL"}) || !slices.Contains(h.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s runs as %+v", s, c)
		}
		for port, b := range c.HostConfig.PortBindings {
			if len(b) != 1 || b[0].IP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %+v", s, port, b)
			}
		}
	}
	if ps := p.next(&page, "ps"); strings.Count(ps, "Up (healthy)") != len(services) {
		t.Errorf("docker-compose ps:\n%s", ps)
	}
	for url, want := range map[string]string{
		"http://localhost:26657/net_info": `"listening":true`, "http://localhost:18000/v1/miners": `"online"`,
		"http://localhost:18001/health": `"ok"`, "http://localhost:18002/health": `"ok"`, "http://localhost:3000/": "<title>", "http://localhost:5173/": "<title>", "http://localhost:5173/coordinator/v1/miners": `"online"`, "http://localhost:18000/v1/models": "aitbc-tiny",
	} {
		if got := p.get(url); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	if got := p.post("http://localhost:5173/api/faucet", `{"to":"0x00000000000000000000000000000000000c0135"}`); !strings.Contains(got, `"amount"`) {
		t.Errorf("first coins: %s", got)
	}
	first := p.next(&page, "submit")
	if !strings.Contains(first, "AITBC is a market") {
		t.Errorf("the answer is %q", first)
	}
	if logs := p.next(&page, "logs"); !strings.Contains(logs, "coordinator_1") {
		t.Errorf("docker-compose logs:\n%s", logs)
	}
	p.next(&page, "restart blockchain")
	p.healthy()
	if list := p.next(&page, "exec"); !strings.HasPrefix(list, "[") && !strings.HasPrefix(list, "{") {
		t.Errorf("wallets: %s", list)
	}
	second := strings.TrimSpace(p.cli("submit", "What is a miner?", "--model", "aitbc-tiny", "--max-tokens", "12"))
	if logs := p.run("docker-compose", "logs", "wallet-daemon"); !strings.Contains(logs, "wallet-daemon_1") {
		t.Errorf("docker-compose logs:\n%s", logs)
	}
	p.next(&page, "down")
	if len(page) > 0 {
		t.Errorf("the page has more: %q", page)
	}
	p.run("docker-compose", "up", "-d")
	p.healthy()

	var jobs []struct {
		Job     string `json:"job_id"`
		State   string `json:"state"`
		Payment string `json:"payment"`
	}
	deadline := time.Now().Add(2 * time.Minute)
	for paid := 0; paid != 2; {
		if time.Now().After(deadline) {
			t.Fatalf("not both jobs are paid: %+v", jobs)
		}
		if err := json.Unmarshal([]byte(p.cli("jobs", "--json")), &jobs); err != nil || len(jobs) != 2 || jobs[0].Job != second {
			t.Fatalf("jobs %+v, %v, want the second %s first", jobs, err, second)
		}
		paid = 0
		for _, j := range jobs {
			if j.State == "completed" && j.Payment == "settled" {
				paid++
			}
		}
	}
	// Both receipts hold by what the volume's genesis says, and the books agree to the unit.
	bundle := filepath.Join(t.TempDir(), "receipts.json")
	if err := os.WriteFile(bundle, []byte(p.cli("receipts", "--job-id", second, "--json")), 0o600); err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(trust, []byte(p.cli("trust", "--json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := p.run(filepath.Join(p.root, "bin", "aitbc"), "verify", bundle, "--trust", trust); !strings.Contains(out, "all holds") {
		t.Errorf("verify:\n%s", out)
	}
	if out := p.cli("coordinator", "check"); !strings.Contains(out, "to the unit") {
		t.Errorf("check:\n%s", out)
	}
}
