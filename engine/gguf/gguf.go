// Package gguf reads and writes GGUF files, the format that language models are
// published in: key-value pairs, then named tensors.
//
// Files come from strangers. [Parse] checks every length against the bytes that
// are there before it allocates or slices, and its errors wrap [ErrFormat] and
// name the place. Versions 2 and 3, little-endian, are understood.
package gguf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Errors that callers test for.
var (
	// ErrFormat says that the bytes are not a well-formed GGUF file.
	ErrFormat = errors.New("malformed gguf")
	// ErrMissing says that the file lacks a key or tensor, or has it in another type.
	ErrMissing = errors.New("missing in gguf")
)

// Type is the storage type of a tensor's elements.
type Type uint32

// The tensor types that this project computes with. Others have a size and a name.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2
	Q8_0 Type = 8
	Q4K  Type = 12
	Q6K  Type = 14
	BF16 Type = 30
)

// QBlock is the number of weights in a block of Q8_0, which has QBlockBytes bytes:
// a float16 scale and one signed byte for each weight.
const (
	QBlock      = 32
	QBlockBytes = 34
)

// layout is how a type lies in files: blocks of so many elements in so many bytes.
type layout struct {
	name            string
	elements, bytes uint64
}

// layouts has every type that ggml has given a number and not taken back.
var layouts = map[Type]layout{
	F32: {"f32", 1, 4}, F16: {"f16", 1, 2}, BF16: {"bf16", 1, 2}, 28: {"f64", 1, 8},
	24: {"i8", 1, 1}, 25: {"i16", 1, 2}, 26: {"i32", 1, 4}, 27: {"i64", 1, 8},
	Q4_0: {"q4_0", 32, 18}, 3: {"q4_1", 32, 20}, 6: {"q5_0", 32, 22}, 7: {"q5_1", 32, 24}, Q8_0: {"q8_0", QBlock, QBlockBytes}, 9: {"q8_1", 32, 36},
	10: {"q2_k", 256, 84}, 11: {"q3_k", 256, 110}, Q4K: {"q4_k", 256, 144}, 13: {"q5_k", 256, 176}, Q6K: {"q6_k", 256, 210}, 15: {"q8_k", 256, 292},
	16: {"iq2_xxs", 256, 66}, 17: {"iq2_xs", 256, 74}, 18: {"iq3_xxs", 256, 98}, 19: {"iq1_s", 256, 50}, 20: {"iq4_nl", 32, 18},
	21: {"iq3_s", 256, 110}, 22: {"iq2_s", 256, 82}, 23: {"iq4_xs", 256, 136}, 29: {"iq1_m", 256, 56},
	34: {"tq1_0", 256, 54}, 35: {"tq2_0", 256, 66}, 39: {"mxfp4", 32, 17}, 40: {"nvfp4", 64, 36}, 41: {"q1_0", 128, 18}, 42: {"q2_0", 64, 18},
}

// String names the type as published files do.
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// A Tensor is a named array in a file.
type Tensor struct {
	Name string
	Type Type
	// Dims are the extents, the fastest-varying first: a matrix of r rows and c
	// columns is [c, r].
	Dims []uint64
	// Data aliases the bytes given to Parse.
	Data []byte
}

// Elements counts the tensor's elements.
func (t Tensor) Elements() uint64 {
	n := uint64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// A File is a parsed file. It does not change and may be read concurrently.
type File struct {
	values  map[string]any
	tensors map[string]Tensor
}

// Keys returns the keys in sorted order.
func (f *File) Keys() []string { return slices.Sorted(maps.Keys(f.values)) }

// Tensors returns all tensors, sorted by name.
func (f *File) Tensors() []Tensor {
	out := make([]Tensor, 0, len(f.tensors))
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		out = append(out, f.tensors[name])
	}
	return out
}

// Tensor returns the tensor of that name, or an error that wraps [ErrMissing].
func (f *File) Tensor(name string) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%w: tensor %q", ErrMissing, name)
	}
	return t, nil
}

// Has says whether the file has the key, in any type.
func (f *File) Has(key string) bool {
	_, ok := f.values[key]
	return ok
}

func get[T any](f *File, key string) (T, error) {
	v, ok := f.values[key]
	if !ok {
		var zero T
		return zero, fmt.Errorf("%w: key %q", ErrMissing, key)
	}
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("%w: key %q is %T, not %T", ErrMissing, key, v, t)
	}
	return t, nil
}

// Text returns a string value. Errors of this and the following wrap [ErrMissing].
func (f *File) Text(key string) (string, error) { return get[string](f, key) }

// Flag returns a boolean value.
func (f *File) Flag(key string) (bool, error) { return get[bool](f, key) }

// Float returns a floating-point value.
func (f *File) Float(key string) (float64, error) { return get[float64](f, key) }

// Uint returns an integer value that is not negative, of whatever width it has.
func (f *File) Uint(key string) (uint64, error) {
	if n, ok := f.values[key].(int64); ok {
		if n < 0 {
			return 0, fmt.Errorf("%w: key %q is negative", ErrMissing, key)
		}
		return uint64(n), nil
	}
	return get[uint64](f, key)
}

// Texts returns an array of strings.
func (f *File) Texts(key string) ([]string, error) { return get[[]string](f, key) }

// Floats returns an array of floating-point numbers.
func (f *File) Floats(key string) ([]float32, error) { return get[[]float32](f, key) }

// Ints returns an array of integers.
func (f *File) Ints(key string) ([]int64, error) { return get[[]int64](f, key) }
