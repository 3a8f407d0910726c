package api

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// EncodeVector writes an embedding as OpenAI's base64 form has it: little-endian float32s.
func EncodeVector(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// DecodeVector reads what EncodeVector writes.
func DecodeVector(s string) ([]float32, error) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) == 0 || len(raw)%4 != 0 {
		return nil, fmt.Errorf("not a vector of float32s in base64, but %d characters", len(s))
	}
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v, nil
}
