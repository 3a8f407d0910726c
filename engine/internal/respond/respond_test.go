package respond_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/internal/respond"
)

// vocabulary of a model, token by token; the first ends the answer.
var vocabulary = []string{"", " yes", "yes", " ", "y", "es", "no", "yes no", "\xc3", "\xa9"}

func allowed(c *respond.Constraint) string {
	var out []string
	allows := c.Allowed(func(id uint32) []byte { return []byte(vocabulary[id]) }, func(id uint32) bool { return id == 0 })
	for id, text := range vocabulary {
		if allows(uint32(id)) {
			if id == 0 {
				text = "END"
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, "|")
}

func TestOnlyWhatGoesOnIsAllowed(t *testing.T) {
	for _, c := range []struct {
		name  string
		form  respond.Form
		said  []string
		want  string
		ended bool
	}{
		{"a choice", respond.Form{Grammar: `root ::= "yes" | "no"`}, nil, "yes|y|no", false},
		{"within a word", respond.Form{Grammar: `root ::= "yes" | "no"`}, []string{"y"}, "es", false},
		{"at the end", respond.Form{Grammar: `root ::= "yes" | "no"`}, []string{"y", "es"}, "END", true},
		{"where it may end", respond.Form{Grammar: `root ::= ("yes" | " ")+`}, []string{"yes"}, "END| yes|yes| |y", false},
		{"nothing", respond.Form{Grammar: `root ::= "yes"?`}, nil, "END|yes|y", false},
		{"a space that is not shown", respond.Form{Grammar: `root ::= "yes"`, Unspaced: true}, nil, " yes|yes|y", false},
		{"a space behind it", respond.Form{Grammar: `root ::= "yes" " "?`, Unspaced: true}, []string{" yes"}, "END| ", false},
		{"half a character", respond.Form{Grammar: `root ::= [à-ü]`}, nil, "\xc3", false},
		{"the other half", respond.Form{Grammar: `root ::= [à-ü]`}, []string{"\xc3"}, "\xa9", false},
		{"nothing fits", respond.Form{Grammar: `root ::= "x"`}, nil, "", false},
		{"an object", respond.Form{ResponseFormat: []byte(`{"type":"json_object"}`)}, nil, "", false},
	} {
		k, err := respond.Of(c.form)
		if err != nil {
			t.Fatal(err)
		}
		ended := false
		for _, text := range c.said {
			ended = k.Add([]byte(text))
		}
		if got := allowed(k); got != c.want || ended != c.ended {
			t.Errorf("%s: %q is allowed and ended is %v, want %q and %v", c.name, got, ended, c.want, c.ended)
		}
	}
}

func TestWhyNothingIsAllowed(t *testing.T) {
	none, err := respond.Of(respond.Form{Grammar: `root ::= "x"`})
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Err(true); err != nil {
		t.Errorf("a token was found: %v", err)
	}
	if err := none.Err(false); !errors.Is(err, engine.ErrUnsupported) {
		t.Errorf("no token was found: %v", err)
	}
	deep, err := respond.Of(respond.Form{Grammar: `root ::= "y" root "es" | "x"`})
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if allowed(deep) == "" {
			break
		}
		deep.Add([]byte("y"))
	}
	if err := deep.Err(false); !errors.Is(err, engine.ErrBadRequest) || !strings.Contains(err.Error(), "within another") {
		t.Errorf("too deep: %v", err)
	}
	if _, err := respond.Of(respond.Form{Grammar: "root ::= root"}); !errors.Is(err, engine.ErrBadRequest) {
		t.Errorf("left recursion: %v", err)
	}
}

// What the filter costs for each token of a vocabulary of 150,000 that is asked for.
func BenchmarkAllowed(b *testing.B) {
	const size = 150_000
	words := make([][]byte, size)
	for i := range words {
		words[i] = []byte(strings.Repeat(string(rune('a'+i%26)), i%3) + " " + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + "ing")
	}
	for name, form := range map[string]respond.Form{
		"any text": {Grammar: "root ::= .*"}, "words": {Grammar: `root ::= ([a-z]+ " ")+`},
		"object": {ResponseFormat: []byte(`{"type":"json_object"}`)}, "schema": {ResponseFormat: []byte(`{"type":"json_schema","json_schema":{"schema":{"type":"object"}}}`)},
	} {
		b.Run(name, func(b *testing.B) {
			c, err := respond.Of(form)
			if err != nil {
				b.Fatal(err)
			}
			if form.ResponseFormat != nil {
				c.Add([]byte(`{"`)) // within a string, where most tokens fit
			}
			allows := c.Allowed(func(id uint32) []byte { return words[id] }, func(uint32) bool { return false })
			for b.Loop() {
				for id := range uint32(size) {
					allows(id)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/token")
		})
	}
}
