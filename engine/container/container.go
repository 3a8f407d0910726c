// Package container runs programs of clients in containers of a Docker engine on
// this machine. Podman 4's does not do: it makes no volumes of a fixed size in memory.
//
// An image is offered by its digest and runs only if the engine shows that very
// digest. The program has no network, no rights, a read-only file system and one
// folder of a fixed size in memory; processors, memory, processes, time and what
// it may leave behind are bounded. When it ends, or must, everything that it
// started ends with it; what a miner that crashed left behind is found by its
// label and removed at the next start.
package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/engine"
)

// ErrImage says that the engine has not the image that is offered.
var ErrImage = errors.New("image not there")

// Config is one offer: an image, and what its programs may use.
type Config struct {
	Socket  string        // of the engine, as in /var/run/docker.sock
	Owner   string        // tells what is ours from what is others' at the same engine
	Name    string        // what clients ask for
	Image   string        // "sha256:…", or a repository with "@sha256:…"
	CPUs    float64       // processors at a time
	Memory  int64         // bytes, beside the folder
	Disk    int64         // bytes of the job's folder
	Pids    int64         // processes and threads at a time
	Longest time.Duration // wall time of a job
	Output  int64         // bytes that a job may print and leave as files, together
	GPUs    []int         // devices that a job is given
	Log     *slog.Logger  // nil for none
}

// Model is an image on offer. It is safe for concurrent use.
type Model struct {
	cfg    Config
	d      *daemon
	digest [32]byte
	id     string // by which the engine knows the image
	class  string
}

const (
	ownerLabel = "org.aitbc.miner"
	keeperName = "aitbc/keeper:1"
	nobody     = "65534"
	folder     = "/job"
	maxInodes  = 16384
)

// Open checks that the engine has the image, and makes ready to run it. It
// returns [ErrImage] if it has not, and [engine.ErrUnavailable] if the engine
// does not answer.
func Open(ctx context.Context, cfg Config) (*Model, error) {
	if cfg.Name == "" || cfg.Owner == "" || cfg.CPUs <= 0 || cfg.Memory < 16<<20 || cfg.Disk <= 0 || cfg.Pids <= 0 || cfg.Longest < time.Second || cfg.Output <= 0 {
		return nil, errors.New("name, owner, cpus, memory (16 MiB at least), disk, pids, time and output must be given")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Model{cfg: cfg, d: newDaemon(cfg.Socket)}
	hexed, err := Digest(cfg.Image)
	if err != nil {
		return nil, err
	}
	if _, err := hex.Decode(m.digest[:], []byte(hexed)); err != nil {
		return nil, fmt.Errorf("image %s: %w", cfg.Image, err)
	}
	i, err := m.d.image(ctx, cfg.Image)
	if refused(err, http.StatusNotFound) {
		return nil, fmt.Errorf("%w: %s: docker pull (or load) it first; the miner itself fetches none", ErrImage, cfg.Image)
	}
	if err != nil {
		return nil, err
	}
	want := "sha256:" + hexed
	if i.ID != want && !slices.ContainsFunc(i.RepoDigests, func(d string) bool { return strings.HasSuffix(d, "@"+want) }) {
		return nil, fmt.Errorf("%w: the engine has %s for it, which is another", ErrImage, i.ID)
	}
	if i.Os != "linux" {
		return nil, fmt.Errorf("image %s is for %s: only Linux images are run", cfg.Image, i.Os)
	}
	if len(i.Config.Volumes) > 0 {
		return nil, fmt.Errorf("image %s declares volumes: what is written there has no bound; build it without VOLUME", cfg.Image)
	}
	m.id = i.ID
	m.class = fmt.Sprintf("container/1;os=linux;arch=%s;cpus=%s;memory=%d;disk=%d;gpus=%d;net=none;det=none",
		i.Architecture, strconv.FormatFloat(cfg.CPUs, 'g', -1, 64), cfg.Memory, cfg.Disk, len(cfg.GPUs))
	if err := m.probe(ctx); err != nil {
		return nil, err
	}
	return m, m.keeper(ctx)
}

// probe sees whether the engine makes folders of a fixed size: none is offered
// that could run no job.
func (m *Model) probe(ctx context.Context) error {
	name := "aitbc-probe-" + rand.Text()
	if err := m.d.memoryVolume(ctx, name, m.cfg.Disk, map[string]string{ownerLabel: m.cfg.Owner}); err != nil {
		return fmt.Errorf("the container engine makes no folders of a fixed size in memory: Docker's does: %w", err)
	}
	return m.d.removeVolume(ctx, name)
}

// Digest returns the hex digits of an image's digest. A name without one is an
// error: it could be another image tomorrow.
func Digest(image string) (string, error) {
	i := strings.LastIndex(image, "sha256:")
	if i < 0 || i > 0 && image[i-1] != '@' {
		return "", fmt.Errorf("image %q has no digest: want sha256:… or repository@sha256:…", image)
	}
	digits := image[i+len("sha256:"):]
	if len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("image %q: want sha256: and 64 hex digits", image)
	}
	return digits, nil
}

// keeper makes the image of the program that keeps a job's folder.
func (m *Model) keeper(ctx context.Context) error {
	var version struct{ Arch string }
	if err := m.d.call(ctx, http.MethodGet, "/version", nil, nil, &version); err != nil {
		return err
	}
	if _, err := m.d.image(ctx, keeperName); !refused(err, http.StatusNotFound) {
		return err
	}
	layer, err := keeperImage(version.Arch)
	if err != nil {
		return err
	}
	return m.d.importImage(ctx, keeperName, layer)
}

// Sweep removes what jobs of an owner left at an engine: of a miner that is gone
// without having stopped. No job of that owner may run.
func Sweep(ctx context.Context, socket, owner string) (removed int, err error) {
	d := newDaemon(socket)
	ids, err := d.containers(ctx, ownerLabel, owner)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := d.remove(ctx, id); err != nil {
			return removed, err
		}
		removed++
	}
	names, err := d.volumes(ctx, ownerLabel, owner)
	if err != nil {
		return removed, err
	}
	for _, name := range names {
		if err := release(ctx, d, name); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// release removes a volume. The engine may still be taking away the last
// container that used it.
func release(ctx context.Context, d *daemon, name string) error {
	late := time.NewTimer(tidyWithin)
	defer late.Stop()
	for {
		err := d.removeVolume(ctx, name)
		if !refused(err, http.StatusConflict) {
			return err
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-again.C:
		case <-late.C:
			again.Stop()
			return err
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
	}
}

// Info implements [engine.Model]. The digest is the image's.
func (m *Model) Info() engine.Info {
	return engine.Info{Name: m.cfg.Name, Digest: m.digest, Class: m.class, Container: true}
}

// Close implements [engine.Model].
func (m *Model) Close() error {
	m.d.http.CloseIdleConnections()
	return nil
}

// spec returns the container of a job.
func (m *Model) spec(job *engine.Container, volume string) spec {
	s := spec{
		Image: m.id, User: nobody + ":" + nobody, Cmd: job.Command, NetworkDisabled: true,
		Labels: map[string]string{ownerLabel: m.cfg.Owner},
		Env:    []string{"HOME=" + folder, "AITBC_INPUT=" + folder + "/input", "AITBC_OUTPUT=" + folder + "/output"},
		HostConfig: hostConfig{
			NetworkMode: "none", ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			// What is in the folder counts as the memory of whoever wrote it.
			Memory: m.cfg.Memory + m.cfg.Disk, MemorySwap: m.cfg.Memory + m.cfg.Disk,
			NanoCpus: int64(m.cfg.CPUs * 1e9), PidsLimit: m.cfg.Pids, IpcMode: "private", ShmSize: m.cfg.Disk,
			Ulimits:   ulimits(),
			Mounts:    []mount{{"volume", volume, folder}},
			Tmpfs:     map[string]string{"/tmp": fmt.Sprintf("rw,nosuid,nodev,mode=1777,size=%d", m.cfg.Disk)},
			LogConfig: map[string]string{"Type": "none"},
		},
	}
	if len(job.Command) > 0 { // else the image's own, where the image has it run
		s.WorkingDir = folder
	}
	for k, v := range job.Env {
		s.Env = append(s.Env, k+"="+v)
	}
	slices.Sort(s.Env[3:])
	if len(m.cfg.GPUs) == 0 { // where Nvidia's runtime is the engine's own, it would give all
		s.Env = append(s.Env, "NVIDIA_VISIBLE_DEVICES=void")
	} else {
		g := deviceRequest{Driver: "nvidia", Capabilities: [][]string{{"gpu"}}}
		for _, n := range m.cfg.GPUs {
			g.DeviceIDs = append(g.DeviceIDs, strconv.Itoa(n))
		}
		s.HostConfig.DeviceRequests = []deviceRequest{g}
	}
	return s
}

// ulimits are those of each process. Processes are counted by PidsLimit; without a limit of theirs here Podman
// gives more than it may itself have, where it lacks CAP_SYS_RESOURCE.
func ulimits() []limit {
	return []limit{{"core", 0, 0}, {"nofile", 1024, 1024}, {"nproc", 16384, 16384}}
}

// keeperSpec returns the container that keeps a job's folder.
func (m *Model) keeperSpec(volume string) spec {
	return spec{
		Image: keeperName, Cmd: []string{"/keep"}, NetworkDisabled: true, Labels: map[string]string{ownerLabel: m.cfg.Owner},
		User: nobody + ":" + nobody,
		HostConfig: hostConfig{
			NetworkMode: "none", ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			// Its program needs next to nothing; what starts it, some megabytes and threads.
			Memory: 64 << 20, MemorySwap: 64 << 20, PidsLimit: 64, IpcMode: "private", Mounts: []mount{{"volume", volume, folder}}, LogConfig: map[string]string{"Type": "none"},
			Ulimits: ulimits(),
		},
	}
}
