package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	maxAlignment     = 1 << 16
	maxDims          = 4
	maxName          = 1 << 16
)

// The kinds of values, as they are numbered in files.
const (
	kindU8 uint32 = iota
	kindI8
	kindU16
	kindI16
	kindU32
	kindI32
	kindF32
	kindBool
	kindString
	kindArray
	kindU64
	kindI64
	kindF64
)

// Parse reads a file. Tensor data aliases data, which must not change afterwards.
// Errors wrap [ErrFormat].
func Parse(data []byte) (*File, error) {
	d := &decoder{data: data}
	if got, ok := d.take(4); !ok || string(got) != magic {
		return nil, d.errorf("the file does not begin with %q", magic)
	}
	version, ok := d.u32()
	if !ok || version < 2 || version > 3 {
		return nil, d.errorf("version %d is not 2 or 3", version)
	}
	tensorCount, _ := d.u64()
	pairCount, ok := d.u64()
	if !ok {
		return nil, d.errorf("the header is cut short")
	}
	// Every pair takes at least 13 bytes and every tensor's description 33.
	if rest := d.rest(); pairCount > rest/13 || tensorCount > rest/33 {
		return nil, d.errorf("%d pairs and %d tensors cannot be in %d bytes", pairCount, tensorCount, rest)
	}
	f := &File{values: make(map[string]any), tensors: make(map[string]Tensor)}
	for i := range pairCount {
		if err := d.pair(f); err != nil {
			return nil, fmt.Errorf("pair %d: %w", i, err)
		}
	}
	infos := make([]info, 0, min(tensorCount, 1<<12))
	for i := range tensorCount {
		t, err := d.tensor()
		if err != nil {
			return nil, fmt.Errorf("tensor %d: %w", i, err)
		}
		infos = append(infos, t)
	}
	return f, d.place(f, infos)
}

type info struct {
	Tensor

	offset, size uint64
}

// place finds the data of each tensor behind the descriptions.
func (d *decoder) place(f *File, infos []info) error {
	alignment := uint64(defaultAlignment)
	if f.Has("general.alignment") {
		a, err := f.Uint("general.alignment")
		if err != nil || a == 0 || a > maxAlignment || a%8 != 0 {
			return d.errorf("general.alignment is not a multiple of 8 up to %d", maxAlignment)
		}
		alignment = a
	}
	start := (uint64(d.pos) + alignment - 1) / alignment * alignment //nolint:gosec // a position is not negative
	if len(infos) > 0 && start > uint64(len(d.data)) {
		return d.errorf("the tensor data is cut off")
	}
	for _, t := range infos {
		space := uint64(len(d.data)) - start
		if t.offset%alignment != 0 {
			return d.errorf("tensor %q is not aligned to %d", t.Name, alignment)
		}
		if t.offset > space || t.size > space-t.offset {
			return d.errorf("tensor %q (%d bytes at %d) goes beyond the end of the file", t.Name, t.size, t.offset)
		}
		if _, dup := f.tensors[t.Name]; dup {
			return d.errorf("tensor %q appears twice", t.Name)
		}
		t.Data = d.data[start+t.offset : start+t.offset+t.size : start+t.offset+t.size]
		f.tensors[t.Name] = t.Tensor
	}
	return nil
}

// decoder walks over the bytes; ok is false where they end too early.
type decoder struct {
	data []byte
	pos  int
}

func (d *decoder) errorf(format string, args ...any) error {
	return fmt.Errorf("%w at byte %d: %s", ErrFormat, d.pos, fmt.Sprintf(format, args...))
}

func (d *decoder) rest() uint64 { return uint64(len(d.data) - d.pos) } //nolint:gosec // a position is within the data

func (d *decoder) take(n uint64) ([]byte, bool) {
	if n > d.rest() {
		return nil, false
	}
	b := d.data[d.pos : d.pos+int(n)] //nolint:gosec // n is at most the rest of the data
	d.pos += int(n)                   //nolint:gosec // n is at most the rest of the data
	return b, true
}

func (d *decoder) u32() (uint32, bool) {
	b, ok := d.take(4)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

func (d *decoder) u64() (uint64, bool) {
	b, ok := d.take(8)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

func (d *decoder) text() (string, bool) {
	n, ok := d.u64()
	if !ok {
		return "", false
	}
	b, ok := d.take(n)
	return string(b), ok
}

func (d *decoder) name() (string, error) {
	s, ok := d.text()
	if !ok || s == "" || len(s) > maxName {
		return "", d.errorf("a name is cut off, empty or too long")
	}
	return s, nil
}

func (d *decoder) pair(f *File) error {
	key, err := d.name()
	if err != nil {
		return err
	}
	if f.Has(key) {
		return d.errorf("key %q appears twice", key)
	}
	kind, ok := d.u32()
	if !ok {
		return d.errorf("the type of %q is cut off", key)
	}
	if kind == kindArray {
		f.values[key], err = d.array(key)
		return err
	}
	f.values[key], err = d.value(key, kind)
	return err
}

// width is the least number of bytes that a value of the kind takes.
func width(kind uint32) uint64 {
	switch kind {
	case kindU8, kindI8, kindBool:
		return 1
	case kindU16, kindI16:
		return 2
	case kindU32, kindI32, kindF32:
		return 4
	case kindU64, kindI64, kindF64, kindString:
		return 8
	}
	return 0
}

// value reads one value: uint64, int64, float64, bool or string.
func (d *decoder) value(key string, kind uint32) (any, error) {
	if kind == kindString {
		s, ok := d.text()
		if !ok {
			return nil, d.errorf("the text of %q is cut off", key)
		}
		return s, nil
	}
	n := width(kind)
	if n == 0 {
		return nil, d.errorf("%q has the unknown type %d", key, kind)
	}
	b, ok := d.take(n)
	if !ok {
		return nil, d.errorf("the value of %q is cut off", key)
	}
	var raw [8]byte
	copy(raw[:], b)
	u := binary.LittleEndian.Uint64(raw[:])
	switch kind {
	case kindU8, kindU16, kindU32, kindU64:
		return u, nil
	case kindI8:
		return int64(int8(u)), nil //nolint:gosec // the bits are a signed number
	case kindI16:
		return int64(int16(u)), nil //nolint:gosec // the bits are a signed number
	case kindI32:
		return int64(int32(u)), nil //nolint:gosec // the bits are a signed number
	case kindI64:
		return int64(u), nil //nolint:gosec // the bits are a signed number
	case kindF32:
		return float64(math.Float32frombits(uint32(u))), nil //nolint:gosec // the bits are a 32-bit float
	case kindF64:
		return math.Float64frombits(u), nil
	}
	if u > 1 {
		return nil, d.errorf("%q is neither false nor true", key)
	}
	return u == 1, nil
}

// array reads an array: []string, []float32 or []int64, booleans as 0 and 1. Arrays of
// arrays, float64 and uint64 occur in no model and are refused.
func (d *decoder) array(key string) (any, error) {
	kind, _ := d.u32()
	count, ok := d.u64()
	if !ok {
		return nil, d.errorf("the array %q is cut off", key)
	}
	n := width(kind)
	if n == 0 || kind == kindF64 || kind == kindU64 {
		return nil, d.errorf("the array %q has elements of type %d", key, kind)
	}
	if count > d.rest()/n {
		return nil, d.errorf("the array %q has %d elements in %d bytes", key, count, d.rest())
	}
	switch kind {
	case kindString:
		out := make([]string, 0, count)
		for range count {
			s, ok := d.text()
			if !ok {
				return nil, d.errorf("a text in the array %q is cut off", key)
			}
			out = append(out, s)
		}
		return out, nil
	case kindF32:
		out := make([]float32, 0, count)
		for range count {
			u, _ := d.u32()
			out = append(out, math.Float32frombits(u))
		}
		return out, nil
	}
	out := make([]int64, 0, count)
	for range count {
		v, err := d.value(key, kind)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case bool:
			one := int64(0)
			if v {
				one = 1
			}
			out = append(out, one)
		case int64:
			out = append(out, v)
		case uint64:
			out = append(out, int64(v)) //nolint:gosec // of 32 bits at most
		}
	}
	return out, nil
}

func (d *decoder) tensor() (info, error) {
	name, err := d.name()
	if err != nil {
		return info{}, err
	}
	count, ok := d.u32()
	if !ok || count == 0 || count > maxDims {
		return info{}, d.errorf("tensor %q has %d dimensions, 1 to %d are allowed", name, count, maxDims)
	}
	t := info{Tensor: Tensor{Name: name, Dims: make([]uint64, count)}}
	elements := uint64(1)
	for i := range t.Dims {
		t.Dims[i], ok = d.u64()
		hi, lo := bits.Mul64(elements, t.Dims[i])
		if !ok || t.Dims[i] == 0 || hi != 0 || lo > math.MaxInt64/8 {
			return info{}, d.errorf("extent %d of tensor %q is cut off, zero or too large", i, name)
		}
		elements = lo
	}
	kind, _ := d.u32()
	t.offset, ok = d.u64()
	if !ok {
		return info{}, d.errorf("the description of tensor %q is cut off", name)
	}
	t.Type = Type(kind)
	l, known := layouts[t.Type]
	if !known {
		return info{}, d.errorf("tensor %q has elements of the unknown %s", name, t.Type)
	}
	if t.Dims[0]%l.elements != 0 {
		return info{}, d.errorf("rows of tensor %q are no whole blocks of %d", name, l.elements)
	}
	t.size = elements / l.elements * l.bytes
	return t, nil
}
