package container

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
)

// The folder of a job is a file system in memory, so that it has a size that
// nothing can exceed. The engine drops it when the last container that uses it
// ends, and the files with it: so a second container, whose program does nothing
// but wait, keeps it until the files have been read. The program is made here,
// as no image may be needed for it.

// waiting is machine code that waits for ever, by architecture.
var waiting = map[string]struct {
	machine uint16
	code    []byte
}{
	"amd64": {62, []byte{
		0xb8, 34, 0, 0, 0, // mov eax, 34 (pause)
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp to the first
	}},
	"arm64": {183, words(
		0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, // mov x0..x4, 0
		0xd2800928, // mov x8, 73 (ppoll)
		0xd4000001, // svc 0
		0x17fffff9, // b to the first
	)},
}

func words(code ...uint32) (b []byte) {
	for _, w := range code {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// keeperProgram returns a static ELF program that waits until it is killed.
func keeperProgram(arch string) ([]byte, error) {
	w, ok := waiting[arch]
	if !ok {
		return nil, fmt.Errorf("containers of architecture %q are not run: amd64 and arm64 are", arch)
	}
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(w.code))
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01")
	b.Write(make([]byte, 9))
	le := func(fields ...any) {
		for _, f := range fields {
			_ = binary.Write(&b, binary.LittleEndian, f) // a buffer takes all fixed-size values
		}
	}
	le(uint16(2), w.machine, uint32(1), uint64(base+headers), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0))
	le(uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x1000))
	b.Write(w.code)
	return b.Bytes(), nil
}

// keeperImage returns the program as the archive of an image.
func keeperImage(arch string) ([]byte, error) {
	program, err := keeperProgram(arch)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "keep", Mode: 0o555, Size: int64(len(program))}); err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	_, err = w.Write(program)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return b.Bytes(), err
}
