// Package ledgertest is a Ledger with its Ethereum app in software, written from
// Ledger's published documents: packets, commands, and what the app checks.
package ledgertest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/aitbc/aitbc/wallet/hd"
)

// Device is a device with a seed. Set its fields before it is used, or through
// [Device.Do].
type Device struct {
	Seed   []byte
	Deny   bool   // the person declines
	Locked bool   // it waits for its PIN
	Closed bool   // another app is open
	Lie    bool   // it signs something else
	Shown  string // what the person saw last

	mu      sync.Mutex // guards all
	in, out bytes.Buffer
	next    uint16 // number of the packet that is expected
	want    int
	pending []byte // blocks of a payload so far
}

// Do changes the device.
func (d *Device) Do(f func(d *Device)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// Close does nothing.
func (d *Device) Close() error { return nil }

// Read takes one packet of an answer.
func (d *Device) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Read(p)
}

// Write takes one packet of a command.
func (d *Device) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(p) != 64 || binary.BigEndian.Uint16(p) != 0x0101 || p[2] != 5 || binary.BigEndian.Uint16(p[3:]) != d.next {
		return 0, fmt.Errorf("not a packet: %x", p)
	}
	data := p[5:]
	if d.next == 0 {
		d.want = int(binary.BigEndian.Uint16(data))
		data = data[2:]
		d.in.Reset()
	}
	d.next++
	d.in.Write(data[:min(len(data), d.want-d.in.Len())])
	if d.in.Len() == d.want {
		d.next = 0
		d.answer(d.in.Bytes())
	}
	return len(p), nil
}

func (d *Device) answer(apdu []byte) {
	out, status := d.run(apdu)
	message := binary.BigEndian.AppendUint16(out, status)
	rest := append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...) //nolint:gosec // short
	for n := uint16(0); len(rest) > 0; n++ {
		packet := make([]byte, 64)
		copy(packet, []byte{1, 1, 5})
		binary.BigEndian.PutUint16(packet[3:], n)
		rest = rest[copy(packet[5:], rest):]
		d.out.Write(packet)
	}
}

// Statuses.
const (
	good    = 0x9000
	denied  = 0x6985
	invalid = 0x6a80
	locked  = 0x5515
	noApp   = 0x6e00
	unknown = 0x6d00
)

func (d *Device) run(apdu []byte) ([]byte, uint16) {
	switch {
	case d.Locked:
		return nil, locked
	case d.Closed:
		return nil, noApp
	case len(apdu) < 5 || apdu[0] != 0xe0 || int(apdu[4]) != len(apdu)-5:
		return nil, invalid
	}
	ins, p1, data := apdu[1], apdu[2], apdu[5:]
	if p1 == 0x80 {
		data = append(d.pending, data...)
	}
	key, rest, ok := d.key(data)
	if !ok {
		return nil, invalid
	}
	switch ins {
	case 0x02:
		address, err := hd.Address(key)
		if err != nil {
			return nil, invalid
		}
		text := hex.EncodeToString(address[:])
		return append(append(append([]byte{65}, make([]byte, 65)...), 40), text...), good
	case 0x04:
		return d.transaction(key, data, rest)
	case 0x08:
		if len(rest) < 4 {
			return nil, invalid
		}
		size := int(binary.BigEndian.Uint32(rest))
		message := rest[4:]
		if len(message) < size {
			d.pending = bytes.Clone(data)
			return nil, good
		}
		d.Shown = string(message)
		digest := crypto.Keccak256(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d", len(message)), message)
		return d.sign(key, digest, 27)
	case 0x0c:
		if len(rest) != 64 {
			return nil, invalid
		}
		d.Shown = hex.EncodeToString(rest)
		return d.sign(key, crypto.Keccak256([]byte{0x19, 1}, rest), 27)
	}
	return nil, unknown
}

// key reads a path and derives its key.
func (d *Device) key(data []byte) (key, rest []byte, ok bool) {
	if len(data) < 1 || len(data) < 1+4*int(data[0]) {
		return nil, nil, false
	}
	n := int(data[0])
	var p hd.Path
	for i := range n {
		p = append(p, binary.BigEndian.Uint32(data[1+4*i:]))
	}
	key, err := hd.Derive(d.Seed, p)
	return key, data[1+4*n:], err == nil
}

// transaction signs what is a whole transaction, else waits for more blocks.
func (d *Device) transaction(key, data, raw []byte) ([]byte, uint16) {
	body, base := raw, byte(0)
	if len(raw) > 0 && raw[0] == 2 {
		body = raw[1:]
	}
	_, content, rest, err := rlp.Split(body)
	if err != nil {
		d.pending = bytes.Clone(data)
		return nil, good
	}
	var fields []rlp.RawValue
	if len(rest) > 0 || rlp.DecodeBytes(body, &fields) != nil {
		return nil, invalid
	}
	if raw[0] != 2 {
		if len(fields) != 9 {
			return nil, invalid
		}
		var chain big.Int
		if rlp.DecodeBytes(fields[6], &chain) != nil {
			return nil, invalid
		}
		base = byte(new(big.Int).Add(new(big.Int).Lsh(&chain, 1), big.NewInt(35)).Uint64()) //nolint:gosec // the last byte alone is sent
	}
	d.Shown = fmt.Sprintf("transaction of %d bytes", len(content))
	return d.sign(key, crypto.Keccak256(raw), base)
}

func (d *Device) sign(key, digest []byte, base byte) ([]byte, uint16) {
	d.pending = nil
	if d.Deny {
		return nil, denied
	}
	if d.Lie {
		digest = crypto.Keccak256(digest)
	}
	sig, err := hd.Sign(key, common.Hash(digest))
	if err != nil {
		return nil, invalid
	}
	return append([]byte{sig[64] + base}, sig[:64]...), good
}
