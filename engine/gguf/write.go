package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// A Writer collects pairs and tensors and writes them as a file. The zero value
// is ready for use. Keys and names are written in the order they were added.
type Writer struct {
	pairs   []byte
	count   uint64
	tensors []Tensor
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func (w *Writer) key(key string, kind uint32) {
	w.count++
	w.pairs = binary.LittleEndian.AppendUint32(appendText(w.pairs, key), kind)
}

func (w *Writer) arrayKey(key string, kind uint32, n int) {
	w.key(key, kindArray)
	w.pairs = binary.LittleEndian.AppendUint32(w.pairs, kind)
	w.pairs = binary.LittleEndian.AppendUint64(w.pairs, uint64(n)) //nolint:gosec // a length is not negative
}

// Text adds a string.
func (w *Writer) Text(key, value string) {
	w.key(key, kindString)
	w.pairs = appendText(w.pairs, value)
}

// Uint adds an unsigned 32-bit number.
func (w *Writer) Uint(key string, value uint32) {
	w.key(key, kindU32)
	w.pairs = binary.LittleEndian.AppendUint32(w.pairs, value)
}

// Float adds a 32-bit floating-point number.
func (w *Writer) Float(key string, value float32) {
	w.key(key, kindF32)
	w.pairs = binary.LittleEndian.AppendUint32(w.pairs, math.Float32bits(value))
}

// Flag adds a boolean.
func (w *Writer) Flag(key string, value bool) {
	w.key(key, kindBool)
	var b byte
	if value {
		b = 1
	}
	w.pairs = append(w.pairs, b)
}

// Texts adds an array of strings.
func (w *Writer) Texts(key string, values []string) {
	w.arrayKey(key, kindString, len(values))
	for _, v := range values {
		w.pairs = appendText(w.pairs, v)
	}
}

// Floats adds an array of 32-bit floating-point numbers.
func (w *Writer) Floats(key string, values []float32) {
	w.arrayKey(key, kindF32, len(values))
	for _, v := range values {
		w.pairs = binary.LittleEndian.AppendUint32(w.pairs, math.Float32bits(v))
	}
}

// Ints adds an array of signed 32-bit numbers.
func (w *Writer) Ints(key string, values []int32) {
	w.arrayKey(key, kindI32, len(values))
	for _, v := range values {
		w.pairs = binary.LittleEndian.AppendUint32(w.pairs, uint32(v)) //nolint:gosec // the same bits
	}
}

// Tensor adds a tensor whose data is already in its storage type.
func (w *Writer) Tensor(t Tensor) { w.tensors = append(w.tensors, t) }

// WriteTo writes the file.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	b := []byte(magic)
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(w.tensors)))
	b = binary.LittleEndian.AppendUint64(b, w.count)
	b = append(b, w.pairs...)
	var offset uint64
	for _, t := range w.tensors {
		b = appendText(b, t.Name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Dims))) //nolint:gosec // a few extents
		for _, n := range t.Dims {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
		b = binary.LittleEndian.AppendUint64(b, offset)
		offset += uint64(len(pad(t.Data)))
	}
	b = pad(b)
	for _, t := range w.tensors {
		b = append(b, pad(t.Data)...)
	}
	n, err := out.Write(b)
	if err != nil {
		return int64(n), fmt.Errorf("write gguf: %w", err)
	}
	return int64(n), nil
}

// pad returns data with zero bytes up to the alignment.
func pad(data []byte) []byte {
	short := -len(data) & (defaultAlignment - 1)
	return append(slices.Clip(data), make([]byte, short)...)
}
