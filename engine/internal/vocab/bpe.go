package vocab

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aitbc/aitbc/engine/gguf"
)

// pairs is what a byte-pair encoding has beside its tokens.
type pairs struct {
	ranks map[[2]string]int // of merges, the lowest first
	split splitter
	whole bool // a word that is a token is not taken apart
	lacks bool // has no token for some bytes
	begin bool // prompts begin with the first token, unless the file says otherwise
}

// maxMerges bounds the list of merges.
const maxMerges = 1 << 21

func newPairs(f *gguf.File) (*pairs, error) {
	pre, err := f.Text("tokenizer.ggml.pre")
	if err != nil {
		return nil, err
	}
	split, known := splitters[pre]
	if !known {
		return nil, fmt.Errorf("%w: tokenizer.ggml.pre is %q", ErrUnsupported, pre)
	}
	merges, err := f.Texts("tokenizer.ggml.merges")
	if err != nil {
		return nil, err
	}
	if len(merges) > maxMerges {
		return nil, fmt.Errorf("%w: %d merges", ErrUnsupported, len(merges))
	}
	p := &pairs{ranks: make(map[[2]string]int, len(merges)), split: split, whole: split.family == llama3, begin: split.family == llama3}
	for i, merge := range merges {
		if len(merge) < 3 {
			return nil, fmt.Errorf("%w: merge %d is %q", ErrUnsupported, i, merge)
		}
		// The first part may be a space.
		at := strings.IndexByte(merge[1:], ' ') + 1
		if at == 0 || at == len(merge)-1 {
			return nil, fmt.Errorf("%w: merge %d is %q", ErrUnsupported, i, merge)
		}
		pair := [2]string{merge[:at], merge[at+1:]}
		if _, dup := p.ranks[pair]; !dup {
			p.ranks[pair] = i
		}
	}
	return p, nil
}

// letters[b] is how byte b stands in tokens: as itself where it is visible in
// Latin-1, else as one of the runes from U+0100 on.
var letters, lettersBack = func() (to [256]string, back map[rune]byte) {
	back = make(map[rune]byte, 256)
	next := rune(256)
	for b := range rune(256) {
		r := b
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r, next = next, next+1
		}
		to[b], back[r] = string(r), byte(b)
	}
	return to, back
}()

// unmap returns the bytes that a token's text stands for. What is no letter of a
// byte stands for itself.
func unmap(text string) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if b, ok := lettersBack[r]; ok {
			out = append(out, b)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// spellable notes the token of each byte. Some vocabularies lack bytes that are in no
// character that their makers have seen; one that lacks others is refused.
func (v *Vocab) spellable() error {
	for b, letter := range letters {
		if id, ok := v.ids[letter]; ok {
			v.bytes[b] = int64(id)
		} else {
			v.pairs.lacks = true
		}
	}
	for b, id := range v.bytes {
		if id < 0 && (b < 0x80 || !v.say(string(utf8.RuneError))) {
			return fmt.Errorf("%w: it has no token for byte %#x", ErrUnsupported, b)
		}
	}
	return nil
}

// say says whether there is a token for each byte.
func (v *Vocab) say(text string) bool {
	for i := range len(text) {
		if v.bytes[text[i]] < 0 {
			return false
		}
	}
	return true
}

// sayable replaces what cannot be said by U+FFFD.
func (v *Vocab) sayable(text string) string {
	var out strings.Builder
	for text != "" {
		_, n := utf8.DecodeRuneInString(text)
		if v.say(text[:n]) {
			out.WriteString(text[:n])
		} else {
			out.WriteRune(utf8.RuneError)
		}
		text = text[n:]
	}
	return out.String()
}

// encodePairs takes out the tokens of their own, the leftmost first and of those the
// longest, splits the rest into words, and encodes each.
func (v *Vocab) encodePairs(ids []uint32, text string) []uint32 {
	if v.pairs.lacks {
		text = v.sayable(text)
	}
	plain := func(text string) {
		for _, word := range v.pairs.split.words(text) {
			ids = v.encodeWord(ids, word)
		}
	}
	start := 0
	for at := 0; at < len(text); at++ {
		for _, own := range v.own[text[at]] {
			if strings.HasPrefix(text[at:], own) {
				plain(text[start:at])
				ids = append(ids, v.ids[own])
				start = at + len(own)
				at = start - 1
				break
			}
		}
	}
	plain(text[start:])
	return ids
}

func (v *Vocab) encodeWord(ids []uint32, word string) []uint32 {
	var mapped strings.Builder
	ends := make([]int, 0, len(word))
	for i := range len(word) {
		mapped.WriteString(letters[word[i]])
		ends = append(ends, mapped.Len())
	}
	text := mapped.String()
	if id, ok := v.ids[text]; ok && (v.pairs.whole || len(word) == 1) {
		return append(ids, id)
	}
	for _, part := range v.pairs.join(text, ends) {
		if id, ok := v.ids[part]; ok {
			ids = append(ids, id)
			continue
		}
		for _, b := range unmap(part) {
			ids = append(ids, uint32(v.bytes[b])) //nolint:gosec // spellable has seen all
		}
	}
	return ids
}

// join merges neighbours, the lowest rank first and of equals the leftmost, until no
// merge is left. ends says where the letters of text end.
func (p *pairs) join(text string, ends []int) []string {
	symbols := make([]symbol, len(ends))
	start := 0
	for i, end := range ends {
		symbols[i] = symbol{text: text[start:end], prev: i - 1, next: i + 1}
		start = end
	}
	var q queue
	pair := func(i int) {
		j := symbols[i].next
		if j >= len(symbols) {
			return
		}
		if rank, ok := p.ranks[[2]string{symbols[i].text, symbols[j].text}]; ok {
			// The text of both is one piece of the word.
			heap.Push(&q, merge{left: i, right: j, text: symbols[i].text + symbols[j].text, score: -float32(rank)})
		}
	}
	for i := range symbols {
		pair(i)
	}
	for q.Len() > 0 {
		m := heap.Pop(&q).(merge)
		left, right := &symbols[m.left], &symbols[m.right]
		if left.text == "" || right.text == "" || left.next != m.right || left.text+right.text != m.text {
			continue // a part has since become something else
		}
		left.text, right.text = m.text, ""
		left.next = right.next
		if left.next < len(symbols) {
			symbols[left.next].prev = m.left
		}
		pair(m.left)
		if left.prev >= 0 {
			pair(left.prev)
		}
	}
	parts := make([]string, 0, len(symbols))
	for _, s := range symbols {
		parts = append(parts, s.text)
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}
