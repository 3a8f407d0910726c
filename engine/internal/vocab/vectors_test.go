package vocab_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine/gguf"
	"github.com/aitbc/aitbc/engine/internal/vocab"
)

// published is the npm package whose bundle of llama.cpp's source has the vocabularies
// of many models, with texts and their tokens as the models' makers encode them.
const published = "node-llama-cpp@3.22.1"

// source fetches the bundle once and returns a clone of it; npm checks its digest.
func source(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches 36 MB from npm")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	clone := filepath.Join(cache, "aitbc-test", strings.ReplaceAll(published, "@", "-"))
	if _, err := os.Stat(clone); err == nil {
		return clone
	}
	if err := os.MkdirAll(filepath.Dir(clone), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(clone), "fetch-") //nolint:usetesting // beside what it becomes
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, step := range [][]string{
		{"npm", "pack", "--silent", "--pack-destination", dir, published},
		{"tar", "-xzf", filepath.Join(dir, strings.ReplaceAll(published, "@", "-")+".tgz"), "-C", dir, "package/llama/gitRelease.bundle"},
		{"git", "clone", "-q", "--bare", filepath.Join(dir, "package/llama/gitRelease.bundle"), filepath.Join(dir, "clone")},
	} {
		cmd := exec.CommandContext(t.Context(), step[0], step[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			if os.Getenv("AITBC_REQUIRE_VECTORS") != "" {
				t.Fatalf("%v: %v\n%s", step, err, out)
			}
			t.Skipf("the published vectors cannot be had: %v: %v\n%s", step, err, out)
		}
	}
	// Another test may have been faster.
	if err := os.Rename(filepath.Join(dir, "clone"), clone); err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(clone); there != nil {
			t.Fatal(err)
		}
	}
	return clone
}

func show(t *testing.T, clone, file string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", clone, "show", "HEAD:models/"+file).Output()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return out
}

func TestTokensAreThoseOfPublishedVectors(t *testing.T) {
	clone := source(t)
	for _, name := range []string{"llama-spm", "phi-3", "llama-bpe", "qwen2", "qwen35", "gpt-2", "mpt", "starcoder", "refact", "command-r"} {
		t.Run(name, func(t *testing.T) {
			f, err := gguf.Parse(show(t, clone, "ggml-vocab-"+name+".gguf"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := vocab.New(f)
			if err != nil {
				t.Fatal(err)
			}
			texts := bytes.Split(show(t, clone, "ggml-vocab-"+name+".gguf.inp"), []byte("\n__ggml_vocab_test__\n"))
			lines := strings.Split(strings.TrimSuffix(string(show(t, clone, "ggml-vocab-"+name+".gguf.out")), "\n"), "\n")
			if last := len(texts) - 1; len(texts[last]) == 0 {
				texts = texts[:last] // behind the last mark
			}
			if len(texts) != len(lines) || len(lines) < 30 {
				t.Fatalf("%d texts, %d lines", len(texts), len(lines))
			}
			for i, raw := range texts {
				text := string(raw)
				if v.SpacePrefix() && text != "" {
					text = " " + text
				}
				if err := compare(v, text, strings.Fields(lines[i])); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func compare(v *vocab.Vocab, text string, fields []string) error {
	var want []uint32
	for _, field := range fields {
		n, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return err
		}
		want = append(want, uint32(n))
	}
	got := v.Encode(text)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%q: got %v, want %v", text, got, want)
	}
	var back []byte
	for _, id := range got {
		back = append(back, v.Bytes(id)...)
	}
	if string(back) != text {
		return fmt.Errorf("%q came back as %q", text, back)
	}
	return nil
}
