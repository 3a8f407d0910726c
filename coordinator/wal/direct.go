package wal

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

const (
	// block is what direct writes are whole multiples of, in memory as on the disk:
	// no disk has longer sectors.
	block = 4096
	// keep bounds the memory that stays for the next write.
	keep = 1 << 20
)

// direct writes whole blocks past the system's cache: one call that waits for the
// disk, in place of a write and a sync. The block in which the last records ended is
// written again with the next.
type direct struct {
	file *os.File
	buf  []byte // begins at a multiple of block
	tail int    // bytes at its beginning that are in the block where the next record goes
}

// write writes records at an offset, which is where the last ones ended or 0, and
// returns when the disk has them.
func (d *direct) write(records []byte, at int64) error {
	if at == 0 {
		d.tail = 0
	}
	end := d.tail + len(records)
	d.grow((end + block - 1) / block * block)
	copy(d.buf[d.tail:], records)
	whole := d.buf[:(end+block-1)/block*block]
	clear(whole[end:])
	if _, err := d.file.WriteAt(whole, at-int64(d.tail)); err != nil {
		return err
	}
	d.tail = end % block
	copy(d.buf, whole[end-d.tail:end])
	if len(d.buf) > keep {
		d.buf = aligned(block, d.buf[:d.tail])
	}
	return nil
}

// noDirect reports that a file system has no direct writes, or none of this shape.
func noDirect(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP)
}

func (d *direct) grow(size int) {
	if size > len(d.buf) {
		d.buf = aligned(max(size, 4*block), d.buf[:d.tail])
	}
}

// aligned returns memory of a size that begins at a multiple of block, with what
// it shall begin with.
func aligned(size int, begin []byte) []byte {
	raw := make([]byte, size+block)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % block) //nolint:gosec // an address is looked at, not made
	out := raw[skip : skip+size : skip+size]
	copy(out, begin)
	return out
}
