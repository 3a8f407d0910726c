package httpapi

import (
	"bytes"
	"encoding/json"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
)

// maxTopLogprobs is OpenAI's limit as well as ours.
const maxTopLogprobs = 20

// likelihoods reads both forms: chat has a boolean and a number beside it, text completions have the number alone.
func (q *openAIRequest) likelihoods(chat bool) (ask bool, top uint32, err error) {
	bad := func(format string, a ...any) (bool, uint32, error) {
		return false, 0, apierr.New(apierr.Invalid, format, a...)
	}
	if null(q.Logprobs) {
		if !null(q.TopLogprobs) {
			return bad("top_logprobs needs logprobs")
		}
		return false, 0, nil
	}
	if !chat {
		if json.Unmarshal(q.Logprobs, &top) != nil || top > 5 {
			return bad("logprobs is a number from 0 to 5")
		}
		return true, top, nil
	}
	if json.Unmarshal(q.Logprobs, &ask) != nil {
		return bad("logprobs is true or false")
	}
	if !null(q.TopLogprobs) && (json.Unmarshal(q.TopLogprobs, &top) != nil || top > maxTopLogprobs || top > 0 && !ask) {
		return bad("top_logprobs is a number from 0 to %d, and needs logprobs", maxTopLogprobs)
	}
	return ask, top, nil
}

// likelihood writes what is known of one piece's token, as chat has it.
func likelihood(text string, l *api.Logprob) object {
	top := []object{}
	for _, c := range l.Top {
		top = append(top, object{"token": c.Text, "logprob": c.Value, "bytes": octets(c.Text)})
	}
	return object{"token": text, "logprob": l.Value, "bytes": octets(text), "top_logprobs": top}
}

// octets are bytes as a list of numbers, as OpenAI writes them.
func octets(text string) []int {
	out := make([]int, len(text))
	for i := range len(text) {
		out[i] = int(text[i])
	}
	return out
}

// spoken collects what is known of the tokens of an answer.
type spoken struct {
	texts  []string
	likely []*api.Logprob
	offset int // of the first of them in the answer
}

func (s *spoken) add(e api.Event) {
	if e.Likely != nil {
		s.texts, s.likely = append(s.texts, e.Text), append(s.likely, e.Likely)
	}
}

// chat is a chat's logprobs object, nil if nothing is known.
func (s *spoken) chat() any {
	if len(s.texts) == 0 {
		return nil
	}
	content := make([]object, len(s.texts))
	for i, text := range s.texts {
		content[i] = likelihood(text, s.likely[i])
	}
	return object{"content": content, "refusal": nil}
}

// text is a text completion's.
func (s *spoken) text() any {
	if len(s.texts) == 0 {
		return nil
	}
	values, top, offsets := make([]float64, len(s.texts)), make([]ordered, len(s.texts)), make([]int, len(s.texts))
	at := s.offset
	for i, text := range s.texts {
		values[i], offsets[i] = s.likely[i].Value, at
		at += len([]rune(text))
		top[i] = ordered(s.likely[i].Top)
	}
	return object{"tokens": s.texts, "token_logprobs": values, "top_logprobs": top, "text_offset": offsets}
}

// ordered is candidates as a JSON object that keeps their order. Of several with one text the likeliest stands.
type ordered []api.Candidate

// MarshalJSON implements [json.Marshaler].
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	seen := map[string]bool{}
	b.WriteByte('{')
	for _, c := range o {
		if seen[c.Text] {
			continue
		}
		key, err := json.Marshal(c.Text)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(c.Value)
		if err != nil {
			return nil, err
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[c.Text] = true
		b.Write(append(append(key, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
