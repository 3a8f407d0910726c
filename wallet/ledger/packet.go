package ledger

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A packet has a channel, a tag and a number before its data; the first has the
// length of the whole too.
const (
	packetSize = 64
	channel    = 0x0101
	tag        = 0x05
	header     = 5
	maxAnswer  = 4096
)

func writePackets(w io.Writer, message []byte) error {
	rest := append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...) //nolint:gosec // a command is short
	for n := uint16(0); len(rest) > 0; n++ {
		packet := make([]byte, packetSize)
		binary.BigEndian.PutUint16(packet, channel)
		packet[2] = tag
		binary.BigEndian.PutUint16(packet[3:], n)
		rest = rest[copy(packet[header:], rest):]
		if _, err := w.Write(packet); err != nil {
			return fmt.Errorf("write to the Ledger: %w", err)
		}
	}
	return nil
}

func readPackets(r io.Reader) ([]byte, error) {
	var out []byte
	want := -1
	for n := uint16(0); want < 0 || len(out) < want; n++ {
		packet := make([]byte, packetSize)
		if _, err := io.ReadFull(r, packet); err != nil {
			return nil, fmt.Errorf("read from the Ledger: %w", err)
		}
		if binary.BigEndian.Uint16(packet) != channel || packet[2] != tag || binary.BigEndian.Uint16(packet[3:]) != n {
			return nil, ErrProtocol
		}
		data := packet[header:]
		if want < 0 {
			want = int(binary.BigEndian.Uint16(data))
			if want > maxAnswer {
				return nil, ErrProtocol
			}
			data = data[2:]
		}
		out = append(out, data[:min(len(data), want-len(out))]...)
	}
	return out, nil
}
