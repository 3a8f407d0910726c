package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	grammar
	defs  map[string]json.RawMessage // by their reference
	known map[string]int             // rules of references
	depth int

	blanks, text, integer, number, value int // rules that all schemas share
}

// Compile returns the empty prefix of what fits the schema, which must be an object's.
// Properties come in the order of the schema, and there are none beside them. Errors
// wrap [ErrMalformed] or [ErrUnsupported].
func Compile(raw json.RawMessage) (Prefix, error) {
	if len(raw) > maxBytes {
		return Prefix{}, fmt.Errorf("%w: %d bytes, at most %d", ErrUnsupported, len(raw), maxBytes)
	}
	root, err := parse(raw)
	if err != nil {
		return Prefix{}, err
	}
	if kinds, err := root.kinds(); err != nil || root.Ref == "" && !slices.Equal(kinds, []string{"object"}) {
		return Prefix{}, errors.Join(err, fmt.Errorf("%w: the whole is no object", ErrUnsupported))
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
		return Prefix{}, err
	}
	if c.endless() {
		return Prefix{}, fmt.Errorf("%w: a definition is only itself", ErrMalformed)
	}
	p := Prefix{grammar: &c.grammar}
	p.frames = c.expand(nil, &frame{rest: []symbol{first}})
	return p, nil
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

// rule adds a rule and returns it as a symbol.
func (c *compiler) rule(alternatives ...[]symbol) symbol {
	c.rules = append(c.rules, alternatives)
	return symbol{rule: len(c.rules) - 1}
}

func at(rule int) symbol { return symbol{rule: rule} }

// literal is these very bytes.
func literal(text string) []symbol {
	out := make([]symbol, len(text))
	for i := range len(text) {
		out[i] = symbol{bytes: bytesOf([2]byte{text[i], text[i]})}
	}
	return out
}

// reference returns the rule of a definition, which may refer to itself.
func (c *compiler) reference(name string) (symbol, error) {
	if r, ok := c.known[name]; ok {
		return at(r), nil
	}
	raw, ok := c.defs[name]
	if !ok {
		return symbol{}, fmt.Errorf("%w: there is no %s", ErrMalformed, name)
	}
	r := c.rule()
	c.known[name] = r.rule
	body, err := c.schema(raw)
	if err != nil {
		return symbol{}, err
	}
	c.rules[r.rule] = [][]symbol{{body}}
	return r, nil
}

// schema returns the rule of what fits.
func (c *compiler) schema(raw json.RawMessage) (symbol, error) {
	if c.depth++; len(c.rules) > maxRules || c.depth > maxDepth {
		return symbol{}, fmt.Errorf("%w: more than %d rules or %d levels", ErrUnsupported, maxRules, maxDepth)
	}
	defer func() { c.depth-- }()
	if string(raw) == "true" {
		return at(c.value), nil
	}
	n, err := parse(raw)
	if err != nil {
		return symbol{}, err
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
		return symbol{}, err
	}
	if kinds == nil {
		return at(c.value), nil
	}
	var alternatives [][]symbol
	for _, kind := range kinds {
		s, err := c.kind(kind, n)
		if err != nil {
			return symbol{}, err
		}
		alternatives = append(alternatives, []symbol{s})
	}
	return c.rule(alternatives...), nil
}

func (c *compiler) kind(kind string, n node) (symbol, error) {
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
		return c.rule(literal("true"), literal("false")), nil
	case "null":
		return c.rule(literal("null")), nil
	}
	return symbol{}, fmt.Errorf("%w: type %q", ErrMalformed, kind)
}

func (c *compiler) any(schemas []json.RawMessage) (symbol, error) {
	if len(schemas) == 0 {
		return symbol{}, fmt.Errorf("%w: anyOf of nothing", ErrMalformed)
	}
	var alternatives [][]symbol
	for _, raw := range schemas {
		s, err := c.schema(raw)
		if err != nil {
			return symbol{}, err
		}
		alternatives = append(alternatives, []symbol{s})
	}
	return c.rule(alternatives...), nil
}

func (c *compiler) constants(values []json.RawMessage) (symbol, error) {
	if len(values) == 0 {
		return symbol{}, fmt.Errorf("%w: enum of nothing", ErrMalformed)
	}
	var alternatives [][]symbol
	for _, v := range values {
		var compact bytes.Buffer
		if err := json.Compact(&compact, v); err != nil {
			return symbol{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		alternatives = append(alternatives, literal(compact.String()))
	}
	return c.rule(alternatives...), nil
}

// object is the properties in their order; those that are not required may be left
// out.
func (c *compiler) object(n node) (symbol, error) {
	if len(n.Properties) == 0 {
		if len(n.Required) > 0 {
			return symbol{}, fmt.Errorf("%w: %q is required and no property", ErrMalformed, n.Required[0])
		}
		if string(n.Additional) != "false" {
			return c.freeObject(), nil
		}
	}
	for _, name := range n.Required {
		if !slices.ContainsFunc(n.Properties, func(m member) bool { return m.name == name }) {
			return symbol{}, fmt.Errorf("%w: %q is required and no property", ErrMalformed, name)
		}
	}
	blanks := at(c.blanks)
	// From the last property on: what may follow when something stands before, and when
	// nothing does.
	end := c.rule(slices.Concat([]symbol{blanks}, literal("}")))
	behind, first := end, end
	for _, m := range slices.Backward(n.Properties) {
		value, err := c.schema(m.schema)
		if err != nil {
			return symbol{}, err
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return symbol{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		this := slices.Concat(literal(string(name)), literal(":"), []symbol{blanks, value, behind})
		after, alone := [][]symbol{slices.Concat(literal(","), []symbol{blanks}, this)}, [][]symbol{slices.Concat([]symbol{blanks}, this)}
		if !slices.Contains(n.Required, m.name) {
			after, alone = append(after, []symbol{behind}), append(alone, []symbol{first})
		}
		behind, first = c.rule(after...), c.rule(alone...)
	}
	return c.rule(append(literal("{"), first)), nil
}

func (c *compiler) array(n node) (symbol, error) {
	item := at(c.value)
	if n.Items != nil {
		var err error
		if item, err = c.schema(n.Items); err != nil {
			return symbol{}, err
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
		return symbol{}, fmt.Errorf("%w: %d to %d items, at most %d", ErrUnsupported, least, most, maxItems)
	}
	return c.list(item, least, most), nil
}

// list is an array of least to most items; most is -1 for any number.
func (c *compiler) list(item symbol, least, most int) symbol {
	blanks := at(c.blanks)
	end := slices.Concat([]symbol{blanks}, literal("]"))
	// more is what follows an item, from the last on.
	more := c.rule(end)
	next := func(more symbol) []symbol { return slices.Concat(literal(","), []symbol{blanks, item, more}) }
	if most < 0 {
		c.rules[more.rule] = append(c.rules[more.rule], next(more))
		most = max(least, 1)
	}
	for i := most - 1; i >= 1; i-- {
		alternatives := [][]symbol{next(more)}
		if i >= least {
			alternatives = append(alternatives, end)
		}
		more = c.rule(alternatives...)
	}
	var alternatives [][]symbol
	if most > 0 {
		alternatives = append(alternatives, slices.Concat(literal("["), []symbol{blanks, item, more}))
	}
	if least == 0 {
		alternatives = append(alternatives, slices.Concat(literal("["), end))
	}
	return c.rule(alternatives...)
}

// basics makes the rules that all schemas share.
func (c *compiler) basics() {
	blank := symbol{bytes: bytesOf([2]byte{' ', ' '}, [2]byte{'\n', '\n'})}
	c.blanks = c.rule(nil, []symbol{blank}, []symbol{blank, blank}).rule
	digit := symbol{bytes: bytesOf([2]byte{'0', '9'})}
	hex := symbol{bytes: bytesOf([2]byte{'0', '9'}, [2]byte{'a', 'f'}, [2]byte{'A', 'F'})}
	plain := bytesOf([2]byte{' ', 0xff})
	plain['"'>>6] &^= 1 << ('"' & 63)
	plain['\\'>>6] &^= 1 << ('\\' & 63)
	escaped := new(set)
	for _, b := range []byte(`"\/bfnrt`) {
		escaped.add(b)
	}
	escape := c.rule([]symbol{{bytes: escaped}}, slices.Concat(literal("u"), []symbol{hex, hex, hex, hex}))
	inside := c.rule()
	c.rules[inside.rule] = [][]symbol{literal(`"`), {{bytes: plain}, inside}, slices.Concat(literal(`\`), []symbol{escape, inside})}
	c.text = c.rule(append(literal(`"`), inside)).rule

	digits := c.rule()
	c.rules[digits.rule] = [][]symbol{nil, {digit, digits}}
	whole := c.rule(literal("0"), []symbol{{bytes: bytesOf([2]byte{'1', '9'})}, digits})
	signed := c.rule([]symbol{whole}, append(literal("-"), whole))
	c.integer = signed.rule
	fraction := c.rule(nil, append(literal("."), digit, digits))
	exponent := c.rule(nil, []symbol{{bytes: bytesOf([2]byte{'e', 'e'}, [2]byte{'E', 'E'})}, c.rule(nil, []symbol{{bytes: bytesOf([2]byte{'+', '+'}, [2]byte{'-', '-'})}}), digit, digits})
	c.number = c.rule([]symbol{signed, fraction, exponent}).rule

	value := c.rule()
	c.value = value.rule
	c.rules[value.rule] = [][]symbol{
		{at(c.text)}, {at(c.number)}, literal("true"), literal("false"), literal("null"), {c.list(value, 0, -1)}, {c.freeObject()},
	}
}

// freeObject is any object.
func (c *compiler) freeObject() symbol {
	blanks := at(c.blanks)
	pair := slices.Concat([]symbol{at(c.text)}, literal(":"), []symbol{blanks, at(c.value)})
	more := c.rule()
	c.rules[more.rule] = [][]symbol{
		slices.Concat([]symbol{blanks}, literal("}")),
		slices.Concat(literal(","), []symbol{blanks}, pair, []symbol{more}),
	}
	return c.rule(
		slices.Concat(literal("{"), []symbol{blanks}, literal("}")),
		slices.Concat(literal("{"), []symbol{blanks}, pair, []symbol{more}),
	)
}
