package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	elog "github.com/ethereum/go-ethereum/log"

	"github.com/aitbc/aitbc/chain/config"
	"github.com/aitbc/aitbc/chain/consensus"
	"github.com/aitbc/aitbc/chain/evm"
	"github.com/aitbc/aitbc/chain/genesis"
	"github.com/aitbc/aitbc/chain/home"
	"github.com/aitbc/aitbc/chain/snapshot"
)

// snapshotHelp is what "aitbcd snapshot" alone says.
const snapshotHelp = `aitbcd snapshot handles the state after one block, from which a new node can begin.

usage: aitbcd snapshot WORD [flags] [FILE]
  list            show the snapshots that this node has
  create [FILE]   with a stopped node: make one of its last block; with --height N: of one that list shows. FILE gets a copy
  restore FILE    make a node without blocks begin after the snapshot's block. The servers and the header in [state_sync],
                  or in --rpc-servers, --trust-height and --trust-hash, say which block that is
`

// shownSnapshot is a snapshot as --json shows it.
type shownSnapshot struct {
	Height uint64      `json:"height"`
	Block  common.Hash `json:"block"`
	Hash   common.Hash `json:"hash"`
	Format uint32      `json:"format"`
	Chunks int         `json:"chunks"`
	Bytes  int64       `json:"bytes"`
}

func showSnapshot(e snapshot.Entry) shownSnapshot {
	m := e.Manifest
	return shownSnapshot{Height: m.Height, Block: m.Block, Hash: e.Hash, Format: m.Format, Chunks: len(m.Chunks), Bytes: e.Bytes}
}

func snapshots(ctx context.Context, c *call) error {
	words := map[string]func(context.Context, *call) error{
		"list": listSnapshots, "create": createSnapshot, "restore": restoreSnapshot,
	}
	if len(c.Args) < 2 {
		return fmt.Errorf("%w: aitbcd snapshot needs one of list, create, restore", errUsage)
	}
	word := c.Args[1]
	if word == "-h" || strings.Contains(word, "help") {
		fmt.Fprint(c.Stderr, snapshotHelp)
		return nil
	}
	run, ok := words[word]
	if !ok {
		return fmt.Errorf("%w: aitbcd snapshot has no %q: it has list, create, restore", errUsage, word)
	}
	c.Args = c.Args[1:]
	return run(ctx, c)
}

// file reads the flags and the file name, which may stand before or after them.
func (c *call) file() (string, error) {
	var names []string
	args := c.Args[1:]
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return "", err
			}
			return "", fmt.Errorf("%w: %w", errUsage, err)
		}
		if c.flags.NArg() == 0 {
			break
		}
		names, args = append(names, c.flags.Arg(0)), c.flags.Args()[1:]
	}
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return names[0], nil
	default:
		return "", fmt.Errorf("%w: what is %q?", errUsage, names[1])
	}
}

// opened is a home whose genesis was read.
type opened struct {
	home  home.Home
	conf  config.Config
	state *genesis.State
}

func (c *call) opened() (opened, error) {
	h, conf, err := c.settings()
	if err != nil {
		return opened{}, err
	}
	if err := exists(h); err != nil {
		return opened{}, err
	}
	_, state, err := genesis.Load(h.Genesis())
	return opened{home: h, conf: conf, state: state}, err
}

func (o opened) chain() (*evm.Chain, error) {
	elog.SetDefault(elog.NewLogger(slog.DiscardHandler))
	return evm.Open(evm.Config{
		Dir: o.home.EVM(), Genesis: o.state.EVM, Archive: o.conf.Storage.Archive, StateHistory: o.conf.Storage.StateHistory,
		FlushEvery: o.conf.Storage.FlushEvery, IndexLogs: o.conf.Storage.IndexLogs,
	})
}

func listSnapshots(_ context.Context, c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	o, err := c.opened()
	if err != nil {
		return err
	}
	s, err := snapshot.ReadStore(o.home.Snapshots(), o.state.Hash())
	if err != nil {
		return err
	}
	list := []shownSnapshot{}
	for _, e := range s.List() {
		list = append(list, showSnapshot(e))
	}
	if *c.json {
		return c.print(list)
	}
	for _, e := range list {
		fmt.Fprintf(c.Stdout, "%d %s %d chunks, %d bytes\n", e.Height, e.Block, e.Chunks, e.Bytes)
	}
	return nil
}

// viewTime bounds the wait for a database to be readable after it was opened.
const viewTime = time.Minute

func createSnapshot(ctx context.Context, c *call) error {
	height := c.flags.Uint64("height", 0, "copy the snapshot of this block instead of making one")
	path, err := c.file()
	if err != nil {
		return err
	}
	o, err := c.opened()
	if err != nil {
		return err
	}
	var s *snapshot.Store
	var e snapshot.Entry
	if *height > 0 {
		if s, err = snapshot.ReadStore(o.home.Snapshots(), o.state.Hash()); err == nil {
			e, err = s.Find(*height)
		}
	} else {
		s, e, err = o.create(ctx)
	}
	if err != nil {
		return err
	}
	if path != "" {
		if err := write(path, func(w io.Writer) error { return snapshot.Export(w, s, e) }); err != nil {
			return err
		}
	}
	return c.showOne(e)
}

func (c *call) showOne(e snapshot.Entry) error {
	if *c.json {
		return c.print(showSnapshot(e))
	}
	fmt.Fprintf(c.Stdout, "block  %d %s\nchunks %d, %d bytes\n", e.Manifest.Height, e.Manifest.Block, len(e.Manifest.Chunks), e.Bytes)
	return nil
}

func (o opened) create(ctx context.Context) (*snapshot.Store, snapshot.Entry, error) {
	chain, err := o.chain()
	if err != nil {
		return nil, snapshot.Entry{}, err
	}
	s, e, err := o.createOf(ctx, chain)
	return s, e, errors.Join(err, chain.Close())
}

func (o opened) createOf(ctx context.Context, chain *evm.Chain) (*snapshot.Store, snapshot.Entry, error) {
	s, err := snapshot.OpenStore(o.home.Snapshots(), o.state.Hash(), o.state.Supply())
	if err != nil {
		return nil, snapshot.Entry{}, err
	}
	if chain.Head().Number.Sign() == 0 {
		return nil, snapshot.Entry{}, errors.New("there is no block yet: a node begins from genesis as well")
	}
	v, err := view(ctx, chain)
	if err != nil {
		return nil, snapshot.Entry{}, err
	}
	e, err := s.Create(ctx, v, 0)
	return s, e, err
}

// view waits until the database has checked its flat state, which it does when it is opened.
func view(ctx context.Context, chain *evm.Chain) (*evm.View, error) {
	ctx, cancel := context.WithTimeout(ctx, viewTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := chain.View(ctx)
		if !errors.Is(err, evm.ErrNoView) {
			return v, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// write writes a file under another name and renames it when it is whole.
func write(path string, content func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = errors.Join(content(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

func restoreSnapshot(ctx context.Context, c *call) error {
	servers := c.flags.String("rpc-servers", "", "two or more, with commas; overrides state_sync.rpc_servers")
	height := c.flags.Int64("trust-height", 0, "overrides state_sync.trust_height")
	hash := c.flags.String("trust-hash", "", "overrides state_sync.trust_hash")
	path, err := c.file()
	if err != nil {
		return err
	}
	if path == "" {
		return fmt.Errorf("%w: aitbcd snapshot restore needs a file", errUsage)
	}
	o, err := c.opened()
	if err != nil {
		return err
	}
	trust := o.conf.StateSync
	if *servers != "" {
		trust.RPCServers = strings.Split(*servers, ",")
	}
	if *height != 0 {
		trust.TrustHeight = *height
	}
	if *hash != "" {
		trust.TrustHash = *hash
	}
	if err := trust.Trustworthy(); err != nil {
		return err
	}
	file, err := snapshot.OpenFile(path)
	if err != nil {
		return err
	}
	if err := errors.Join(o.restore(ctx, file, trust), file.Close()); err != nil {
		return err
	}
	return c.showOne(file.Entry)
}

// restore checks the whole file before anything is written.
func (o opened) restore(ctx context.Context, file *snapshot.File, trust config.StateSync) error {
	doc, _, err := genesis.Load(o.home.Genesis())
	if err != nil {
		return err
	}
	before, err := consensus.Resume(o.home.Data())
	if err != nil {
		return err
	}
	if before > 0 {
		return fmt.Errorf("%w: %d", evm.ErrNotEmpty, before)
	}
	if err := evm.Discard(o.home.EVM()); err != nil {
		return err
	}
	m := file.Manifest
	known, err := consensus.Trust(ctx, trust, doc, m.Height, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	target := snapshot.Target{Genesis: o.state.Hash(), Supply: o.state.Supply(), Height: m.Height, Block: known.AppHash}
	if err := snapshot.Verify(m, target, file.Chunk); err != nil {
		return err
	}
	chain, err := o.chain()
	if err != nil {
		return err
	}
	if err := errors.Join(snapshot.Restore(chain, m, target, file.Chunk), chain.Close()); err != nil {
		return err
	}
	return consensus.Bootstrap(o.home.Data(), known)
}
