// Package vocab turns text into the token ids of a model and back, by the
// vocabulary that stands in the model's file.
//
// It understands two kinds. In SentencePiece's (tokenizer.ggml.model = "llama") text is
// split into characters, and the neighbours that make the best-scored token are
// joined, the leftmost first, until none are left; what the vocabulary lacks is
// spelled in byte tokens. In byte-pair encodings ("gpt2") text is first split into
// words, as tokenizer.ggml.pre says, and the bytes of each are joined in the order of
// the file's list of merges.
package vocab

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aitbc/aitbc/engine/gguf"
)

// ErrUnsupported says that the file's vocabulary is of another kind.
var ErrUnsupported = errors.New("unsupported vocabulary")

// space stands for a blank inside tokens.
const space = "\u2581"

// The kinds of tokens, as numbered in files.
const (
	kindNormal  = 1
	kindControl = 3
	kindUser    = 4
	kindByte    = 6
)

const maxTokens = 1 << 20

// A Vocab is a model's vocabulary. It does not change.
type Vocab struct {
	texts  []string
	scores []float32
	kinds  []int64
	ids    map[string]uint32 // of tokens that text may become
	named  map[string]uint32 // of control tokens and those with a meaning of their own
	bytes  [256]int64        // byte tokens, -1 for none
	spoken [][]byte          // what each token adds to a text

	begin, unknown uint32
	ends           map[uint32]bool
	addBegin       bool
	addSpace       bool
	longest        int

	pairs *pairs        // of a byte-pair encoding, nil for SentencePiece
	own   [256][]string // by their first byte: tokens of their own wherever they stand in text, the longest first
}

// New reads the vocabulary of a file.
func New(f *gguf.File) (*Vocab, error) {
	kind, err := f.Text("tokenizer.ggml.model")
	if err != nil {
		return nil, err
	}
	v := &Vocab{ids: map[string]uint32{}, named: map[string]uint32{}, ends: map[uint32]bool{}}
	if v.texts, err = f.Texts("tokenizer.ggml.tokens"); err != nil {
		return nil, err
	}
	if v.kinds, err = f.Ints("tokenizer.ggml.token_type"); err != nil {
		return nil, err
	}
	if n := len(v.texts); n == 0 || n > maxTokens || len(v.kinds) != n {
		return nil, fmt.Errorf("%w: %d tokens, %d types", ErrUnsupported, n, len(v.kinds))
	}
	switch kind {
	case "llama":
		v.addBegin, v.addSpace = true, true
		if v.scores, err = f.Floats("tokenizer.ggml.scores"); err != nil {
			return nil, err
		}
		if len(v.scores) != len(v.texts) {
			return nil, fmt.Errorf("%w: %d tokens, %d scores", ErrUnsupported, len(v.texts), len(v.scores))
		}
	case "gpt2":
		if v.pairs, err = newPairs(f); err != nil {
			return nil, err
		}
		v.addBegin = v.pairs.begin
	default:
		return nil, fmt.Errorf("%w: tokenizer.ggml.model is %q, known are llama and gpt2", ErrUnsupported, kind)
	}
	v.index()
	if v.pairs != nil {
		if err := v.spellable(); err != nil {
			return nil, err
		}
	}
	return v, v.special(f)
}

func (v *Vocab) index() {
	for i := range v.bytes {
		v.bytes[i] = -1
	}
	v.spoken = make([][]byte, len(v.texts))
	for i, text := range v.texts {
		id := uint32(i)
		switch v.kinds[i] {
		case kindNormal, kindUser:
			if _, dup := v.ids[text]; !dup {
				v.ids[text] = id
			}
			v.spoken[i] = v.meaning(text, v.kinds[i])
			v.longest = max(v.longest, len(text), len(v.spoken[i]))
			if v.kinds[i] == kindUser {
				v.named[text] = id
				if v.pairs != nil && text != "" {
					v.own[text[0]] = append(v.own[text[0]], text)
				}
			}
		case kindControl:
			v.named[text] = id
		case kindByte:
			if b, ok := byteOf(text); ok {
				v.bytes[b] = int64(id)
				v.spoken[i] = []byte{b}
			}
		}
	}
	v.longest = max(v.longest, 1)
	for _, own := range v.own {
		slices.SortFunc(own, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	}
}

// meaning is what a token of text adds to an answer.
func (v *Vocab) meaning(text string, kind int64) []byte {
	switch {
	case v.pairs == nil:
		return []byte(strings.ReplaceAll(text, space, " "))
	case kind == kindUser:
		return []byte(text)
	}
	return unmap(text)
}

// special reads the ids that have a meaning, and how a prompt begins.
func (v *Vocab) special(f *gguf.File) error {
	id := func(key string, fallback uint64) (uint32, error) {
		n := fallback
		if f.Has(key) {
			var err error
			if n, err = f.Uint(key); err != nil {
				return 0, err
			}
		}
		if n >= uint64(len(v.texts)) {
			return 0, fmt.Errorf("%w: %s is %d of %d tokens", ErrUnsupported, key, n, len(v.texts))
		}
		return uint32(n), nil //nolint:gosec // below the number of tokens
	}
	last := uint64(len(v.texts) - 1) //nolint:gosec // there are tokens
	var err error
	if v.begin, err = id("tokenizer.ggml.bos_token_id", min(1, last)); err != nil {
		return err
	}
	if v.unknown, err = id("tokenizer.ggml.unknown_token_id", 0); err != nil {
		return err
	}
	for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"} {
		if v.pairs == nil && key == "tokenizer.ggml.eos_token_id" || f.Has(key) {
			end, err := id(key, 2)
			if err != nil {
				return err
			}
			v.ends[end] = true
		}
	}
	for key, flag := range map[string]*bool{"tokenizer.ggml.add_bos_token": &v.addBegin, "tokenizer.ggml.add_space_prefix": &v.addSpace} {
		if f.Has(key) {
			if *flag, err = f.Flag(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Len counts the tokens.
func (v *Vocab) Len() int { return len(v.texts) }

// Begin returns the token that a prompt begins with, if the model wants one.
func (v *Vocab) Begin() (id uint32, ok bool) { return v.begin, v.addBegin }

// IsEnd says whether the token ends an answer.
func (v *Vocab) IsEnd(id uint32) bool { return v.ends[id] }

// Control returns the id of a control token such as "<|user|>". Encode never makes
// one, so text cannot pretend to be a turn of the conversation.
func (v *Vocab) Control(text string) (id uint32, ok bool) {
	id, ok = v.named[text]
	return id, ok
}

// SpacePrefix says that the model reads text as if a space stood before it.
func (v *Vocab) SpacePrefix() bool { return v.addSpace }

// LeastTokens returns a number of tokens below which no encoding of n bytes can be.
func (v *Vocab) LeastTokens(n int) int { return n / v.longest }

// Bytes returns what the token adds to the text: nothing for control tokens, and
// perhaps only a part of a character. The caller must not change it.
func (v *Vocab) Bytes(id uint32) []byte {
	if int(id) >= len(v.spoken) {
		return nil
	}
	return v.spoken[id]
}

// byteOf reads the name of a byte token, as in <0x0A>.
func byteOf(text string) (byte, bool) {
	digits, ok := strings.CutPrefix(text, "<0x")
	digits, end := strings.CutSuffix(digits, ">")
	n, err := strconv.ParseUint(digits, 16, 8)
	return byte(n), ok && end && len(digits) == 2 && err == nil
}

// Encode returns the tokens of text as it stands, without a first token or a space
// before it. Text that is not valid UTF-8 is spelled in bytes, where the vocabulary
// has them all.
func (v *Vocab) Encode(text string) []uint32 {
	if v.pairs == nil {
		return v.encodePieces(make([]uint32, 0, len(text)), text)
	}
	return v.encodePairs(make([]uint32, 0, len(text)/3), text)
}
