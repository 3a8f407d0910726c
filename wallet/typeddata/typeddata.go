// Package typeddata reads EIP-712 typed data as wallets get it, in JSON, hashes
// it and shows every field of it.
//
// It is stricter than most: what is not declared, left out, of another type or
// out of range is an error, so that nothing is signed that was not shown.
package typeddata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrFormat reports what is no typed data, or not consistent.
var ErrFormat = errors.New("not typed data of EIP-712")

// Bounds of what is read.
const (
	MaxSize   = 64 << 10
	maxTypes  = 64
	maxFields = 128
	maxDepth  = 16
	maxShown  = 2000 // values
)

const domainName = "EIP712Domain"

// Field is one member of a struct type.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Value is one value, as it is shown.
type Value struct {
	Name  string `json:"name"` // a path, such as message.to.wallets[0]
	Value string `json:"value"`
}

// Data is typed data that was checked and hashed.
type Data struct {
	PrimaryType string
	Domain      map[string]any
	Message     map[string]any
	Digest      common.Hash // what is signed
	DomainHash  common.Hash
	MessageHash common.Hash
	Values      []Value // all of them, in the order of the types

	types map[string][]Field
}

type document struct {
	Types       map[string][]Field `json:"types"`
	PrimaryType string             `json:"primaryType"`
	Domain      map[string]any     `json:"domain"`
	Message     map[string]any     `json:"message"`
}

// Parse reads typed data. It returns [ErrFormat], wrapped.
func Parse(raw []byte) (*Data, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrFormat, MaxSize)
	}
	var doc document
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one JSON value", ErrFormat)
	}
	if doc.Domain == nil || doc.Message == nil || doc.PrimaryType == domainName {
		return nil, fmt.Errorf("%w: domain, message or primaryType is missing", ErrFormat)
	}
	if doc.Types == nil {
		return nil, fmt.Errorf("%w: types are missing", ErrFormat)
	}
	if doc.Types[domainName] == nil {
		doc.Types[domainName] = domainFields(doc.Domain)
	}
	d := &Data{PrimaryType: doc.PrimaryType, Domain: doc.Domain, Message: doc.Message, types: doc.Types}
	if err := d.hash(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return d, nil
}

// domainFields is the type of a domain that declares none, as EIP-712 orders it.
func domainFields(domain map[string]any) (fields []Field) {
	for _, f := range standardDomain {
		if _, there := domain[f.Name]; there {
			fields = append(fields, f)
		}
	}
	return fields
}

var standardDomain = []Field{{"name", "string"}, {"version", "string"}, {"chainId", "uint256"}, {"verifyingContract", "address"}, {"salt", "bytes32"}}

func (d *Data) hash() (err error) {
	if err := d.checkTypes(); err != nil {
		return err
	}
	if d.DomainHash, err = d.structHash(domainName, d.Domain, "domain", 0); err != nil {
		return err
	}
	if d.MessageHash, err = d.structHash(d.PrimaryType, d.Message, "message", 0); err != nil {
		return err
	}
	d.Digest = crypto.Keccak256Hash([]byte{0x19, 0x01}, d.DomainHash[:], d.MessageHash[:])
	return nil
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]{0,63}$`)
	arrayForm  = regexp.MustCompile(`^(.*)\[([1-9][0-9]{0,3})?\]$`)
)

// checkTypes sees to it that all types that are used are declared, once, and
// that the domain is one of EIP-712's.
func (d *Data) checkTypes() error {
	if len(d.types) > maxTypes {
		return fmt.Errorf("more than %d types", maxTypes)
	}
	if _, ok := d.types[d.PrimaryType]; !ok {
		return errors.New("the primary type is not declared")
	}
	for name, fields := range d.types {
		if !identifier.MatchString(name) || atomic(name) {
			return fmt.Errorf("%.40q is no name of a type", name)
		}
		if len(fields) > maxFields {
			return fmt.Errorf("type %s has more than %d fields", name, maxFields)
		}
		seen := map[string]bool{}
		for _, f := range fields {
			if !identifier.MatchString(f.Name) || seen[f.Name] {
				return fmt.Errorf("type %s: %.40q is no name of a field, or there twice", name, f.Name)
			}
			seen[f.Name] = true
			base := f.Type
			for m := arrayForm.FindStringSubmatch(base); m != nil; m = arrayForm.FindStringSubmatch(base) {
				base = m[1]
			}
			if _, declared := d.types[base]; !declared && !atomic(base) {
				return fmt.Errorf("type %s: %.40q is not declared", name, f.Type)
			}
		}
	}
	for _, f := range d.types[domainName] {
		if !slices.Contains(standardDomain, f) {
			return fmt.Errorf("the domain has a field %q of type %q", f.Name, f.Type)
		}
	}
	return nil
}

// EncodeType returns encodeType of EIP-712 for a declared type.
func (d *Data) EncodeType(name string) string {
	var deps []string
	var visit func(string)
	visit = func(t string) {
		for _, f := range d.types[t] {
			base, _, _ := strings.Cut(f.Type, "[")
			if d.types[base] != nil && base != name && !slices.Contains(deps, base) {
				deps = append(deps, base)
				visit(base)
			}
		}
	}
	visit(name)
	sort.Strings(deps)
	var b strings.Builder
	for _, t := range append([]string{name}, deps...) {
		b.WriteString(t + "(")
		for i, f := range d.types[t] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(f.Type + " " + f.Name)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func (d *Data) structHash(name string, v map[string]any, path string, depth int) (common.Hash, error) {
	fields := d.types[name]
	if len(v) != len(fields) {
		return common.Hash{}, fmt.Errorf("%s: type %s has %d fields, the value %d", path, name, len(fields), len(v))
	}
	typeHash := crypto.Keccak256([]byte(d.EncodeType(name)))
	enc := append(make([]byte, 0, 32*(len(fields)+1)), typeHash...)
	for _, f := range fields {
		value, there := v[f.Name]
		if !there {
			return common.Hash{}, fmt.Errorf("%s: field %s is missing", path, f.Name)
		}
		word, err := d.word(f.Type, value, path+"."+f.Name, depth+1)
		if err != nil {
			return common.Hash{}, err
		}
		enc = append(enc, word[:]...)
	}
	return crypto.Keccak256Hash(enc), nil
}

// word returns encodeData of EIP-712 for one value, and notes the value.
func (d *Data) word(typ string, v any, path string, depth int) (common.Hash, error) {
	if depth > maxDepth {
		return common.Hash{}, fmt.Errorf("%s: nested more than %d deep", path, maxDepth)
	}
	if m := arrayForm.FindStringSubmatch(typ); m != nil {
		list, ok := v.([]any)
		if !ok || m[2] != "" && m[2] != fmt.Sprint(len(list)) {
			return common.Hash{}, fmt.Errorf("%s is no %s", path, typ)
		}
		if len(list) == 0 {
			d.Values = append(d.Values, Value{path, "[]"})
		}
		var enc []byte
		for i, item := range list {
			word, err := d.word(m[1], item, fmt.Sprintf("%s[%d]", path, i), depth+1)
			if err != nil {
				return common.Hash{}, err
			}
			enc = append(enc, word[:]...)
		}
		return crypto.Keccak256Hash(enc), nil
	}
	if _, ok := d.types[typ]; ok {
		fields, ok := v.(map[string]any)
		if !ok {
			return common.Hash{}, fmt.Errorf("%s is no %s", path, typ)
		}
		return d.structHash(typ, fields, path, depth+1)
	}
	word, shown, err := atom(typ, v)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%s: %w", path, err)
	}
	if d.Values = append(d.Values, Value{path, shown}); len(d.Values) > maxShown {
		return common.Hash{}, fmt.Errorf("more than %d values", maxShown)
	}
	return word, nil
}
