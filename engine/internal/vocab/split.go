package vocab

import (
	"unicode"
	"unicode/utf8"
)

// family is how words are told from each other; files name it tokenizer.ggml.pre.
type family int

const (
	// gpt2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
	gpt2 family = iota
	// digits: \p{N} each alone, then gpt2.
	digits
	// llama3: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
	// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
	llama3
	// qwen2 is llama3 with numbers digit by digit.
	qwen2
	// qwen35 is qwen2 with marks as letters.
	qwen35
)

// splitter splits text into words.
type splitter struct{ family family }

// splitters are the known values of tokenizer.ggml.pre.
var splitters = map[string]splitter{
	"gpt-2": {gpt2}, "phi-2": {gpt2}, "mpt": {gpt2}, "olmo": {gpt2}, "mellum": {gpt2},
	"starcoder": {digits}, "refact": {digits}, "command-r": {digits}, "smollm": {digits}, "codeshell": {digits}, "exaone": {digits},
	"llama3": {llama3}, "llama-v3": {llama3}, "llama-bpe": {llama3}, "falcon3": {llama3}, "pixtral": {llama3},
	"qwen2": {qwen2}, "deepseek-r1-qwen": {qwen2}, "stablelm2": {qwen2}, "hunyuan": {qwen2},
	"qwen35": {qwen35},
}

// words returns the words, which together are the text. A byte that is no character
// is a symbol like a comma.
func (s splitter) words(text string) []string {
	var words []string
	for text != "" {
		n := s.word(text)
		words = append(words, text[:n])
		text = text[n:]
	}
	return words
}

// word returns the length of the first word: that of the first alternative that fits.
func (s splitter) word(text string) int {
	old := s.family == gpt2 || s.family == digits
	if n := contraction(text, !old); n > 0 {
		return n
	}
	first, size := utf8.DecodeRuneInString(text)
	second, _ := utf8.DecodeRuneInString(text[size:])
	rest := len(text) > size
	switch {
	case s.letter(first):
		return s.run(text, s.letter)
	case old && first == ' ' && rest && s.letter(second), !old && first != '\r' && first != '\n' && !unicode.IsNumber(first) && rest && s.letter(second):
		return size + s.run(text[size:], s.letter)
	case unicode.IsNumber(first):
		return s.number(text)
	case s.family == gpt2 && first == ' ' && rest && unicode.IsNumber(second):
		return size + s.run(text[size:], unicode.IsNumber)
	}
	at := 0
	if first == ' ' && rest && s.symbol(second) {
		at = size
	}
	if n := s.run(text[at:], s.symbol); n > 0 {
		n += at
		if !old {
			n += s.run(text[n:], newline)
		}
		return n
	}
	return s.blanks(text, old)
}

// number returns the length of a number at the beginning.
func (s splitter) number(text string) int {
	most := map[family]int{gpt2: len(text), llama3: 3}[s.family]
	if most == 0 {
		most = 1
	}
	n := 0
	for range most {
		r, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || !unicode.IsNumber(r) {
			break
		}
		n += size
	}
	return n
}

// blanks returns the length of the blanks at the beginning that are a word: up to
// their last newline, where newlines matter; else all but the last, which belongs to
// the next word.
func (s splitter) blanks(text string, old bool) int {
	n := s.run(text, unicode.IsSpace)
	if !old {
		for i := n - 1; i >= 0; i-- {
			if text[i] == '\n' || text[i] == '\r' {
				return i + 1
			}
		}
	}
	_, last := utf8.DecodeLastRuneInString(text[:n])
	digit := false
	if n < len(text) && s.family == digits {
		r, _ := utf8.DecodeRuneInString(text[n:])
		digit = unicode.IsNumber(r) // the text was split there before
	}
	if n < len(text) && n > last && !digit {
		return n - last
	}
	return n
}

// run returns the length of the characters at the beginning that are.
func (s splitter) run(text string, are func(rune) bool) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		if !are(r) {
			break
		}
		n += size
	}
	return n
}

func (s splitter) letter(r rune) bool {
	return unicode.IsLetter(r) || s.family == qwen35 && unicode.IsMark(r)
}

func (s splitter) symbol(r rune) bool {
	return !unicode.IsSpace(r) && !s.letter(r) && !unicode.IsNumber(r)
}

func newline(r rune) bool { return r == '\r' || r == '\n' }

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning.
func contraction(text string, fold bool) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	lower := func(i int) byte {
		if i < len(text) && fold && text[i] >= 'A' && text[i] <= 'Z' {
			return text[i] + 'a' - 'A'
		}
		if i < len(text) {
			return text[i]
		}
		return 0
	}
	switch a, b := lower(1), lower(2); {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case a == 'r' && b == 'e' || a == 'v' && b == 'e' || a == 'l' && b == 'l':
		return 3
	}
	return 0
}
