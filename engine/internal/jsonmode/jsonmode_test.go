package jsonmode_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine/internal/jsonmode"
)

var whole = []string{
	`{}`, `{ }`, `{"a":1}`, `{"a": [1, -2.5e+3, 0, 0.1E5, true, false, null, "x\n\u00e9\"", {}, []]}`,
	"{\"é\": \"ü\",\n \"b\": {\"c\": [[], {}]}}", `{"a":-0,"b":1e9}`,
}

func TestEveryBeginningOfAnObjectIsAccepted(t *testing.T) {
	for _, text := range whole {
		var p jsonmode.Prefix
		for i := range len(text) {
			if p.Complete() {
				t.Errorf("%q is complete at byte %d", text, i)
			}
			if !p.Add([]byte{text[i]}) {
				t.Fatalf("%q is refused at byte %d", text, i)
			}
		}
		if !p.Complete() || !json.Valid([]byte(text)) {
			t.Errorf("%q: complete %v, valid %v", text, p.Complete(), json.Valid([]byte(text)))
		}
	}
}

func TestOtherTextsAreRefused(t *testing.T) {
	for _, text := range []string{
		` {}`, `[`, `"a"`, `1`, `{a`, `{,`, `{"a" 1`, `{"a":,`, `{"a":1,}`, `{"a":[1,]`, `{"a":01`, `{"a":1.}`, `{"a":.5`, `{"a":-}`, `{"a":1e}`, `{"a":+1`,
		`{"a":tru}`, `{"a":nul,`, `{"a":"` + "\n", `{"a":"\x`, `{"a":"\u12g`, `{"a":1}}`, `{"a":1} `, `{"a":1]`, `{"a":[1}`, `{   `,
		`{"a":` + strings.Repeat("[", 64),
	} {
		var p jsonmode.Prefix
		if p.Add([]byte(text)) {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzWhatIsCompleteIsValid(f *testing.F) {
	for _, text := range whole {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p jsonmode.Prefix
		if p.Add([]byte(text)) && p.Complete() && !json.Valid([]byte(text)) {
			t.Errorf("%q is complete and not valid", text)
		}
	})
}
