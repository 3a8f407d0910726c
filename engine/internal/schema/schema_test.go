package schema_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/engine/internal/schema"
)

func fits(t testing.TB, s, text string) (begins, whole bool) {
	t.Helper()
	p, err := schema.Compile(json.RawMessage(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	for i := range len(text) {
		if !p.Add([]byte{text[i]}) {
			return false, false
		}
	}
	return true, p.Complete()
}

func TestWhatFitsIsTakenAndNothingElse(t *testing.T) {
	person := `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"],"additionalProperties":false}`
	optional := `{"properties":{"a":{"type":"boolean"},"b":{"type":["number","null"]},"c":{"const":"x y"}},"required":["b"]}`
	tree := `{"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"v":{"enum":[1,"a",null]},"next":{"anyOf":[{"$ref":"#/$defs/t"},{"type":"null"}]}},"required":["v","next"]}}}`
	list := `{"type":"object","properties":{"l":{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}},"required":["l"]}`
	free := `{"type":"object","properties":{"x":{},"y":{"type":"array"},"z":{"type":"object"}},"required":["x"]}`
	none := `{"type":"object","properties":{},"additionalProperties":false}`
	for _, c := range []struct {
		schema, text  string
		begins, whole bool
	}{
		{person, `{"name":"Ada","age":36}`, true, true},
		{person, "{\"name\": \"\\u00e9\\n\u00e9\",\n \"age\": -0 }", true, true},
		{person, `{"name":"Ada","age":3`, true, false},
		{person, `{"name":"Ada"}`, false, false},
		{person, `{"age":1`, false, false},
		{person, `{"name":1`, false, false},
		{person, `{"name":"Ada","age":3.`, false, false},
		{person, `{"name":"Ada","age":03`, false, false},
		{person, `{"name":"Ada","age":36}}`, false, false},
		{person, `[`, false, false},
		{optional, `{"b":1.5e-3}`, true, true},
		{optional, `{"a":true,"b":null,"c":"x y"}`, true, true},
		{optional, `{"b":null,"a"`, false, false},
		{optional, `{"a":true}`, false, false},
		{optional, `{"b":1,"c":"x"`, false, false},
		{tree, `{"v":1,"next":{"v":"a","next":{"v":null,"next":null}}}`, true, true},
		{tree, `{"v":2`, false, false},
		{tree, `{"v":1,"next":{"v":1}`, false, false},
		{list, `{"l":[1, 2,3]}`, true, true},
		{list, `{"l":[]`, false, false},
		{list, `{"l":[1,2,3,`, false, false},
		{free, `{"x":[1,{"a":[]},"b"],"y":[],"z":{"q":{}, "r":[true]}}`, true, true},
		{free, `{"x":{},"y":1`, false, false},
		{none, `{}`, true, true},
		{none, `{"`, false, false},
	} {
		if begins, whole := fits(t, c.schema, c.text); begins != c.begins || whole != c.whole {
			t.Errorf("%s of %s: begins %v, whole %v", c.text, c.schema, begins, whole)
		}
	}
}

func TestSchemasThatAreNotEnforcedAreRefused(t *testing.T) {
	for s, want := range map[string]error{
		`{"type":"string"}`: schema.ErrUnsupported,
		`{"type":"object","properties":{"a":{"type":"string","pattern":"x"}}}`:  schema.ErrUnsupported,
		`{"type":"object","properties":{"a":{"type":"array","maxItems":9999}}}`: schema.ErrUnsupported,
		`{"type":"object","additionalProperties":{"type":"string"}}`:            schema.ErrUnsupported,
		`{"type":"object","properties":{"a":{"type":"thing"}}}`:                 schema.ErrMalformed,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/no"}}}`:            schema.ErrMalformed,
		`{"type":"object","properties":{"a":{}},"required":["b"]}`:              schema.ErrMalformed,
		`{"$ref":"#"}`: schema.ErrMalformed,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"anyOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}}}`: schema.ErrMalformed,
		`{"type":"object","properties":[]}`: schema.ErrMalformed,
		`{"type":"object","properties":{"a":` + strings.Repeat(`{"type":"array","items":`, 70) + `{}` + strings.Repeat(`}`, 71) + `}`: schema.ErrUnsupported,
		`{`: schema.ErrMalformed,
		``:  schema.ErrMalformed,
	} {
		if _, err := schema.Compile(json.RawMessage(s)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", s, err, want)
		}
	}
}

func FuzzWhatIsCompleteIsValid(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":["string","number"]},"b":{"type":"array","items":{"$ref":"#"}}},"required":["a"]}`, `{"a":"x","b":[{"a":1e5}]}`)
	f.Add(`{"type":"object"}`, `{"a": [1, -2.5e+3, true, null, "x\u00e9", {}]}`)
	f.Add(`{"properties":{"a":{"enum":[{"b":1},[2]]}}}`, `{"a":{"b":1}}`)
	f.Fuzz(func(t *testing.T, s, text string) {
		p, err := schema.Compile(json.RawMessage(s))
		if err != nil {
			if !errors.Is(err, schema.ErrMalformed) && !errors.Is(err, schema.ErrUnsupported) {
				t.Errorf("%v", err)
			}
			return
		}
		if p.Add([]byte(text)) && p.Complete() && !json.Valid([]byte(text)) {
			t.Errorf("%q is complete for %s and not valid", text, s)
		}
	})
}
