// Package schema keeps a model's answer to a JSON schema: it compiles one to a grammar of
// the beginnings of fitting objects.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aitbc/aitbc/internal/grammar"
)

// Errors of Compile.
var (
	// ErrMalformed says that the schema makes no sense.
	ErrMalformed = errors.New("malformed schema")
	// ErrUnsupported says that the schema asks for what is not enforced here.
	ErrUnsupported = errors.New("unsupported in a schema")
)

// Bounds on schemas, which come from strangers.
const (
	maxBytes = 64 << 10
	maxRules = 4096
	maxItems = 256
	maxDepth = 64
)

// A node is one JSON schema. Keywords that only describe are skipped; all others are
// refused.
type node struct {
	Ref        string                     `json:"$ref"`
	Defs       map[string]json.RawMessage `json:"$defs"`
	OldDefs    map[string]json.RawMessage `json:"definitions"`
	Type       json.RawMessage            `json:"type"`
	Properties ordered                    `json:"properties"`
	Required   []string                   `json:"required"`
	Additional json.RawMessage            `json:"additionalProperties"`
	Items      json.RawMessage            `json:"items"`
	MinItems   *int                       `json:"minItems"`
	MaxItems   *int                       `json:"maxItems"`
	Enum       []json.RawMessage          `json:"enum"`
	Const      json.RawMessage            `json:"const"`
	AnyOf      []json.RawMessage          `json:"anyOf"`

	Schema      json.RawMessage `json:"$schema"`
	ID          json.RawMessage `json:"$id"`
	Title       json.RawMessage `json:"title"`
	Description json.RawMessage `json:"description"`
	Default     json.RawMessage `json:"default"`
	Examples    json.RawMessage `json:"examples"`
	Comment     json.RawMessage `json:"$comment"`
}

// ordered is an object's members in the order in which they stand.
type ordered []member

type member struct {
	name   string
	schema json.RawMessage
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *ordered) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: properties are no object", ErrMalformed)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var m member
		if err := d.Decode(&m.schema); err != nil {
			return err
		}
		m.name, _ = key.(string)
		*o = append(*o, m)
	}
	return nil
}

// compiler turns schemas into rules.
type compiler struct {
	grammar.Grammar
	defs  map[string]json.RawMessage // by their reference
	known map[string]int             // rules of references
	depth int

	blanks, text, integer, number, value int // rules that all schemas share
}

// Compile returns the empty prefix of what fits the schema, which must be an object's.
// Properties come in the order of the schema, and there are none beside them. Errors
// wrap [ErrMalformed] or [ErrUnsupported].
func Compile(raw json.RawMessage) (grammar.Prefix, error) {
	if len(raw) > maxBytes {
		return grammar.Prefix{}, fmt.Errorf("%w: %d bytes, at most %d", ErrUnsupported, len(raw), maxBytes)
	}
	root, err := parse(raw)
	if err != nil {
		return grammar.Prefix{}, err
	}
	if kinds, err := root.kinds(); err != nil || root.Ref == "" && !slices.Equal(kinds, []string{"object"}) {
		return grammar.Prefix{}, errors.Join(err, fmt.Errorf("%w: the whole is no object", ErrUnsupported))
	}
	c := &compiler{defs: map[string]json.RawMessage{"#": raw}, known: map[string]int{}}
	for name, def := range root.Defs {
		c.defs["#/$defs/"+name] = def
	}
	for name, def := range root.OldDefs {
		c.defs["#/definitions/"+name] = def
	}
	c.basics()
	first, err := c.reference("#")
	if err != nil {
		return grammar.Prefix{}, err
	}
	if _, endless := c.LeftRecursive(); endless {
		return grammar.Prefix{}, fmt.Errorf("%w: a definition is only itself", ErrMalformed)
	}
	return c.Begin(first), nil
}

func parse(raw json.RawMessage) (node, error) {
	var n node
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return n, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		return n, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if extra := string(n.Additional); extra != "" && extra != "false" && extra != "true" {
		return n, fmt.Errorf("%w: additionalProperties with a schema", ErrUnsupported)
	}
	return n, nil
}

// kinds returns the types that are allowed, nil for any.
func (n *node) kinds() ([]string, error) {
	if len(n.Type) == 0 {
		if n.Properties != nil {
			return []string{"object"}, nil
		}
		return nil, nil
	}
	var one string
	if json.Unmarshal(n.Type, &one) == nil {
		return []string{one}, nil
	}
	var several []string
	if err := json.Unmarshal(n.Type, &several); err != nil {
		return nil, fmt.Errorf("%w: type is %s", ErrMalformed, n.Type)
	}
	return several, nil
}

func at(rule int) grammar.Symbol { return grammar.Symbol{Rule: rule} }

// reference returns the rule of a definition, which may refer to itself.
func (c *compiler) reference(name string) (grammar.Symbol, error) {
	if r, ok := c.known[name]; ok {
		return at(r), nil
	}
	raw, ok := c.defs[name]
	if !ok {
		return grammar.Symbol{}, fmt.Errorf("%w: there is no %s", ErrMalformed, name)
	}
	r := c.Rule()
	c.known[name] = r.Rule
	body, err := c.schema(raw)
	if err != nil {
		return grammar.Symbol{}, err
	}
	c.Rules[r.Rule] = [][]grammar.Symbol{{body}}
	return r, nil
}

// schema returns the rule of what fits.
func (c *compiler) schema(raw json.RawMessage) (grammar.Symbol, error) {
	if c.depth++; len(c.Rules) > maxRules || c.depth > maxDepth {
		return grammar.Symbol{}, fmt.Errorf("%w: more than %d rules or %d levels", ErrUnsupported, maxRules, maxDepth)
	}
	defer func() { c.depth-- }()
	if string(raw) == "true" {
		return at(c.value), nil
	}
	n, err := parse(raw)
	if err != nil {
		return grammar.Symbol{}, err
	}
	switch {
	case n.Ref != "":
		return c.reference(n.Ref)
	case n.AnyOf != nil:
		return c.any(n.AnyOf)
	case n.Const != nil:
		return c.constants([]json.RawMessage{n.Const})
	case n.Enum != nil:
		return c.constants(n.Enum)
	}
	kinds, err := n.kinds()
	if err != nil {
		return grammar.Symbol{}, err
	}
	if kinds == nil {
		return at(c.value), nil
	}
	var alternatives [][]grammar.Symbol
	for _, kind := range kinds {
		s, err := c.kind(kind, n)
		if err != nil {
			return grammar.Symbol{}, err
		}
		alternatives = append(alternatives, []grammar.Symbol{s})
	}
	return c.Rule(alternatives...), nil
}

func (c *compiler) kind(kind string, n node) (grammar.Symbol, error) {
	switch kind {
	case "object":
		return c.object(n)
	case "array":
		return c.array(n)
	case "string":
		return at(c.text), nil
	case "integer":
		return at(c.integer), nil
	case "number":
		return at(c.number), nil
	case "boolean":
		return c.Rule(grammar.Literal("true"), grammar.Literal("false")), nil
	case "null":
		return c.Rule(grammar.Literal("null")), nil
	}
	return grammar.Symbol{}, fmt.Errorf("%w: type %q", ErrMalformed, kind)
}

func (c *compiler) any(schemas []json.RawMessage) (grammar.Symbol, error) {
	if len(schemas) == 0 {
		return grammar.Symbol{}, fmt.Errorf("%w: anyOf of nothing", ErrMalformed)
	}
	var alternatives [][]grammar.Symbol
	for _, raw := range schemas {
		s, err := c.schema(raw)
		if err != nil {
			return grammar.Symbol{}, err
		}
		alternatives = append(alternatives, []grammar.Symbol{s})
	}
	return c.Rule(alternatives...), nil
}

func (c *compiler) constants(values []json.RawMessage) (grammar.Symbol, error) {
	if len(values) == 0 {
		return grammar.Symbol{}, fmt.Errorf("%w: enum of nothing", ErrMalformed)
	}
	var alternatives [][]grammar.Symbol
	for _, v := range values {
		var compact bytes.Buffer
		if err := json.Compact(&compact, v); err != nil {
			return grammar.Symbol{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		alternatives = append(alternatives, grammar.Literal(compact.String()))
	}
	return c.Rule(alternatives...), nil
}

// object is the properties in their order; those that are not required may be left
// out.
func (c *compiler) object(n node) (grammar.Symbol, error) {
	if len(n.Properties) == 0 {
		if len(n.Required) > 0 {
			return grammar.Symbol{}, fmt.Errorf("%w: %q is required and no property", ErrMalformed, n.Required[0])
		}
		if string(n.Additional) != "false" {
			return c.freeObject(), nil
		}
	}
	for _, name := range n.Required {
		if !slices.ContainsFunc(n.Properties, func(m member) bool { return m.name == name }) {
			return grammar.Symbol{}, fmt.Errorf("%w: %q is required and no property", ErrMalformed, name)
		}
	}
	blanks := at(c.blanks)
	// From the last property on: what may follow when something stands before, and when
	// nothing does.
	end := c.Rule(slices.Concat([]grammar.Symbol{blanks}, grammar.Literal("}")))
	behind, first := end, end
	for _, m := range slices.Backward(n.Properties) {
		value, err := c.schema(m.schema)
		if err != nil {
			return grammar.Symbol{}, err
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return grammar.Symbol{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		this := slices.Concat(grammar.Literal(string(name)), grammar.Literal(":"), []grammar.Symbol{blanks, value, behind})
		after, alone := [][]grammar.Symbol{slices.Concat(grammar.Literal(","), []grammar.Symbol{blanks}, this)}, [][]grammar.Symbol{slices.Concat([]grammar.Symbol{blanks}, this)}
		if !slices.Contains(n.Required, m.name) {
			after, alone = append(after, []grammar.Symbol{behind}), append(alone, []grammar.Symbol{first})
		}
		behind, first = c.Rule(after...), c.Rule(alone...)
	}
	return c.Rule(append(grammar.Literal("{"), first)), nil
}

func (c *compiler) array(n node) (grammar.Symbol, error) {
	item := at(c.value)
	if n.Items != nil {
		var err error
		if item, err = c.schema(n.Items); err != nil {
			return grammar.Symbol{}, err
		}
	}
	least, most := 0, -1
	if n.MinItems != nil {
		least = *n.MinItems
	}
	if n.MaxItems != nil {
		most = *n.MaxItems
	}
	if least < 0 || least > maxItems || most > maxItems || n.MaxItems != nil && most < least {
		return grammar.Symbol{}, fmt.Errorf("%w: %d to %d items, at most %d", ErrUnsupported, least, most, maxItems)
	}
	return c.list(item, least, most), nil
}

// list is an array of least to most items; most is -1 for any number.
func (c *compiler) list(item grammar.Symbol, least, most int) grammar.Symbol {
	blanks := at(c.blanks)
	end := slices.Concat([]grammar.Symbol{blanks}, grammar.Literal("]"))
	// more is what follows an item, from the last on.
	more := c.Rule(end)
	next := func(more grammar.Symbol) []grammar.Symbol {
		return slices.Concat(grammar.Literal(","), []grammar.Symbol{blanks, item, more})
	}
	if most < 0 {
		c.Rules[more.Rule] = append(c.Rules[more.Rule], next(more))
		most = max(least, 1)
	}
	for i := most - 1; i >= 1; i-- {
		alternatives := [][]grammar.Symbol{next(more)}
		if i >= least {
			alternatives = append(alternatives, end)
		}
		more = c.Rule(alternatives...)
	}
	var alternatives [][]grammar.Symbol
	if most > 0 {
		alternatives = append(alternatives, slices.Concat(grammar.Literal("["), []grammar.Symbol{blanks, item, more}))
	}
	if least == 0 {
		alternatives = append(alternatives, slices.Concat(grammar.Literal("["), end))
	}
	return c.Rule(alternatives...)
}

// basics makes the rules that all schemas share.
func (c *compiler) basics() {
	blank := grammar.Symbol{Bytes: grammar.Bytes([2]byte{' ', ' '}, [2]byte{'\n', '\n'})}
	c.blanks = c.Rule(nil, []grammar.Symbol{blank}, []grammar.Symbol{blank, blank}).Rule
	digit := grammar.Symbol{Bytes: grammar.Bytes([2]byte{'0', '9'})}
	hex := grammar.Symbol{Bytes: grammar.Bytes([2]byte{'0', '9'}, [2]byte{'a', 'f'}, [2]byte{'A', 'F'})}
	plain := grammar.Bytes([2]byte{' ', 0xff})
	plain.Remove('"')
	plain.Remove('\\')
	escaped := new(grammar.Set)
	for _, b := range []byte(`"\/bfnrt`) {
		escaped.Add(b)
	}
	escape := c.Rule([]grammar.Symbol{{Bytes: escaped}}, slices.Concat(grammar.Literal("u"), []grammar.Symbol{hex, hex, hex, hex}))
	inside := c.Rule()
	c.Rules[inside.Rule] = [][]grammar.Symbol{grammar.Literal(`"`), {{Bytes: plain}, inside}, slices.Concat(grammar.Literal(`\`), []grammar.Symbol{escape, inside})}
	c.text = c.Rule(append(grammar.Literal(`"`), inside)).Rule

	digits := c.Rule()
	c.Rules[digits.Rule] = [][]grammar.Symbol{nil, {digit, digits}}
	whole := c.Rule(grammar.Literal("0"), []grammar.Symbol{{Bytes: grammar.Bytes([2]byte{'1', '9'})}, digits})
	signed := c.Rule([]grammar.Symbol{whole}, append(grammar.Literal("-"), whole))
	c.integer = signed.Rule
	fraction := c.Rule(nil, append(grammar.Literal("."), digit, digits))
	exponent := c.Rule(nil, []grammar.Symbol{{Bytes: grammar.Bytes([2]byte{'e', 'e'}, [2]byte{'E', 'E'})}, c.Rule(nil, []grammar.Symbol{{Bytes: grammar.Bytes([2]byte{'+', '+'}, [2]byte{'-', '-'})}}), digit, digits})
	c.number = c.Rule([]grammar.Symbol{signed, fraction, exponent}).Rule

	value := c.Rule()
	c.value = value.Rule
	c.Rules[value.Rule] = [][]grammar.Symbol{
		{at(c.text)}, {at(c.number)}, grammar.Literal("true"), grammar.Literal("false"), grammar.Literal("null"), {c.list(value, 0, -1)}, {c.freeObject()},
	}
}

// freeObject is any object.
func (c *compiler) freeObject() grammar.Symbol {
	blanks := at(c.blanks)
	pair := slices.Concat([]grammar.Symbol{at(c.text)}, grammar.Literal(":"), []grammar.Symbol{blanks, at(c.value)})
	more := c.Rule()
	c.Rules[more.Rule] = [][]grammar.Symbol{
		slices.Concat([]grammar.Symbol{blanks}, grammar.Literal("}")),
		slices.Concat(grammar.Literal(","), []grammar.Symbol{blanks}, pair, []grammar.Symbol{more}),
	}
	return c.Rule(
		slices.Concat(grammar.Literal("{"), []grammar.Symbol{blanks}, grammar.Literal("}")),
		slices.Concat(grammar.Literal("{"), []grammar.Symbol{blanks}, pair, []grammar.Symbol{more}),
	)
}
