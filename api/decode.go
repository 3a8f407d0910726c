package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrTrailing reports bytes after the one JSON value that was expected.
var ErrTrailing = errors.New("more than one JSON value")

// Decode reads exactly one JSON value into v. Unknown fields and anything after
// the value are errors.
func Decode(b []byte, v any) error {
	d := NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return nil
}

// NewDecoder returns a decoder of JSON values that follow one another. Unknown
// fields are errors.
func NewDecoder(r io.Reader) *json.Decoder {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	return d
}
