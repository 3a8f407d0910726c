package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aitbc/aitbc/bench/figure"
	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/llama"
	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/native"
)

// crowd is how many answers the program writes at once.
const crowd = 16

// programs measures llama.cpp in the bound program of a miner beside llama.cpp in this
// process, on the same device.
func programs(ctx context.Context, cfg config, out io.Writer) error {
	dir, err := os.MkdirTemp("", "aitbc-llama-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := library.Find(cfg.backend)
	if err != nil {
		return err
	}
	folder := b.Folder(cfg.engines)
	if err := b.Check(folder); err != nil {
		return err
	}
	lib, err := native.Open(b, folder)
	if err != nil {
		return err
	}
	p := &peer{lib: lib, layers: -1}
	for _, kind := range cfg.kinds {
		if err := p.program(ctx, filepath.Join(dir, "measure.gguf"), cfg.shape(kind), cfg, out); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// program takes turns: the library reads a prompt and writes an answer, then the program.
func (p *peer) program(ctx context.Context, path string, sh shape, cfg config, out io.Writer) (err error) {
	if err := sh.write(path); err != nil {
		return err
	}
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	theirs, err := p.open(path, sh.context, cfg.threads[0])
	if err != nil {
		return err
	}
	defer theirs.close()
	ours, err := llama.Open(ctx, llama.Config{
		Path: path, Engines: cfg.engines, Backend: cfg.backend, Program: cfg.program, Slots: crowd, Threads: cfg.threads[0],
		LibraryPath: os.Getenv("LD_LIBRARY_PATH"), Length: sh.context, OpenFiles: cfg.openFiles,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	s := figure.New(fmt.Sprintf("%s, %s, %s: in its program", sh.name, sh.kind, cfg.backend),
		fmt.Sprintf("%d MB of weights; a prompt of %d tokens, then %d tokens one after another. %s. Device: %s.",
			stat.Size()>>20, promptTokens, answerTokens, ours.Info().Class, cmp.Or(strings.Join(p.lib.GPUs(), ", "), "the processor")))
	for range cfg.rounds {
		prefill, decode, err := speeds(ctx, theirs, sh.vocabulary)
		if err != nil {
			return err
		}
		first, rate, err := answered(ctx, ours)
		if err != nil {
			return err
		}
		s.Sample("first token", "ms", first*1e3)
		s.Sample("first token, llama.cpp in one process", "ms", promptTokens/prefill.wall*1e3)
		s.Sample("decode", "tokens/s", rate)
		s.Sample("decode, llama.cpp in one process", "tokens/s", decode.wall)
		s.Sample("decode, ratio", "×", rate/decode.wall)
		s.Sample("decode, weights read", "GB/s", rate*float64(stat.Size())/1e9)
		many, err := manyAnswered(ctx, ours)
		if err != nil {
			return err
		}
		s.Sample(fmt.Sprintf("decode, %d answers at once", crowd), "tokens/s", many)
		s.Sample(fmt.Sprintf("decode, %d answers at once / one", crowd), "×", many/rate)
	}
	s.AtLeast("decode, ratio", 0.8)
	return s.Write(out)
}

// answered returns the seconds to the first token of an answer, and the tokens a second of the others.
func answered(ctx context.Context, m *llama.Model) (first, rate float64, err error) {
	// The vocabulary has a token for each byte: the text's, the three of the space before it, and the first of all.
	prompt := strings.Repeat("x", promptTokens-4)
	began := time.Now()
	var begun time.Time
	r, err := m.Generate(ctx, engine.Request{Prompt: prompt, MaxTokens: answerTokens}, func(engine.Token) error {
		if begun.IsZero() {
			begun = time.Now()
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if r.CompletionTokens < answerTokens/2 || r.PromptTokens != promptTokens {
		return 0, 0, fmt.Errorf("an answer has %d tokens after a prompt of %d: no measure", r.CompletionTokens, r.PromptTokens)
	}
	return begun.Sub(began).Seconds(), float64(r.CompletionTokens-1) / time.Since(begun).Seconds(), nil
}

// manyAnswered returns the tokens a second of several answers at a time.
func manyAnswered(ctx context.Context, m *llama.Model) (float64, error) {
	var g errgroup.Group
	made := make([]uint64, crowd)
	began := time.Now()
	for i := range crowd {
		g.Go(func() error {
			r, err := m.Generate(ctx, engine.Request{Prompt: fmt.Sprintf("w%d", 400+i), MaxTokens: answerTokens}, func(engine.Token) error { return nil })
			made[i] = r.CompletionTokens
			return err
		})
	}
	err := g.Wait()
	var all uint64
	for _, n := range made {
		all += n
	}
	return float64(all) / time.Since(began).Seconds(), err
}
