// Package library installs the builds of llama.cpp that this program knows, and knows
// them again.
//
// A build is a set of shared libraries from one npm package, named by the hash of the
// package and by one of what is unpacked from it. Nothing else is opened: the layouts of
// llama.cpp's structures change from one build to the next, and a library is code.
package library

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Version is that of llama.cpp in all builds.
const Version = "v0.5.0"

// packageVersion is that of the npm packages.
const packageVersion = "3.22.1"

// Errors that callers test for.
var (
	// ErrMissing says that a build is not installed.
	ErrMissing = errors.New("not installed")
	// ErrUnknown says that a folder or a package is not the build that this program knows.
	ErrUnknown = errors.New("not the build of llama.cpp that this program knows")
)

// A Build is llama.cpp compiled for one kind of device, for Linux on amd64.
type Build struct {
	// Backend is the kind of device: "cpu", "cuda", "cuda12" or "vulkan".
	Backend string
	// Archives are unpacked one over the other.
	Archives []Archive
	// Needs is what the machine must have besides, in words; "" for nothing.
	Needs string

	sum   string // of what is unpacked, see sumOf
	files int    // that are unpacked
	mark  string // in the names of the libraries
}

// An Archive is that of an npm package.
type Archive struct {
	Package string
	Bytes   int64

	sha512 string // in base64
}

// CUDA says that the build is for NVIDIA's CUDA.
func (b Build) CUDA() bool { return b.mark == cudaMark }

// Packages are the names of the build's packages, as an error lists them.
func (b Build) Packages() string {
	var names []string
	for _, a := range b.Archives {
		names = append(names, a.Package)
	}
	return strings.Join(names, " and ")
}

const cudaMark = ".cuda"

// Builds are all that this program knows, those for GPUs first.
//
// The one for CUDA 13 has machine code for compute capabilities 8.6, 8.9, 12.0 and 12.1, and
// what a driver translates for 7.5, 8.0 and 9.0, which only a driver for CUDA 13.1 or newer
// does. The one for CUDA 12 has machine code for 8.6, and for all others from 5.0 on what
// drivers for CUDA 12.4 or newer translate.
func Builds() []Build {
	cuda := Archive{
		Package: "@node-llama-cpp/linux-x64-cuda", Bytes: 142_898_030,
		sha512: "8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA==",
	}
	return []Build{
		{
			Backend: "cuda", Archives: []Archive{cuda},
			Needs: "NVIDIA's driver and the libraries of CUDA 13 (libcudart, libcublas)",
			sum:   "55f36169c3ae9f4b9f3b75fb880af832cca681d7db35da5e0551ee91ec81080f", files: 18, mark: cudaMark,
		},
		{
			Backend: "cuda12", Archives: []Archive{cuda, {
				Package: "@node-llama-cpp/linux-x64-cuda-ext", Bytes: 176_664_119,
				sha512: "4e5ajkiM2aR2WAdB/N/ACk4weEhHvOAIrzxZPsIX0xDFW5+6hhShuy1/vs88SK9NGdgAco9IyE28eYS0H1efpA==",
			}},
			Needs: "NVIDIA's driver and the libraries of CUDA 12 (libcudart, libcublas)",
			sum:   "613cec7de810db3300a7869a2808b3de313aba614f066f78145dba26c1ecd3c4", files: 18, mark: cudaMark,
		},
		{
			Backend: "vulkan", Archives: []Archive{{
				Package: "@node-llama-cpp/linux-x64-vulkan", Bytes: 24_311_427,
				sha512: "bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg==",
			}},
			Needs: "libvulkan and the GPU's Vulkan driver",
			sum:   "a679d7ea93a9925fc82035a30de1ab801dbd0e2c0375feaaa74841297059dc6c", files: 18, mark: ".vulkan",
		},
		{
			Backend: "cpu", Archives: []Archive{{
				Package: "@node-llama-cpp/linux-x64", Bytes: 10_824_547,
				sha512: "5uCCDNqWCNfaAm8aR/Uzxbo4HBpKgNF91kCHPepKhgMgV2OAmatoefbOlMihsqCiH2Od35E/eUHQCFbfRBJuOg==",
			}},
			sum: "9fa8447e5378f7585308479de3c281496ae4e4e6a2bfb39ab57fa36e01c27856", files: 17,
		},
	}
}

// Backends are the names of all builds, as an error lists them.
func Backends() string {
	var names []string
	for _, b := range Builds() {
		names = append(names, b.Backend)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Find returns the build for a kind of device.
func Find(backend string) (Build, error) {
	for _, b := range Builds() {
		if b.Backend == backend {
			return b, nil
		}
	}
	return Build{}, fmt.Errorf("backend %q is unknown: want one of %s", backend, Backends())
}

// Folder is where a build lies below a folder of engines, such as HOME/engines.
func (b Build) Folder(engines string) string {
	return filepath.Join(engines, "llama.cpp", Version+"-"+b.Backend)
}

// Paths are the libraries that a program opens, in this order, from a build's folder.
func (b Build) Paths(folder string) (base, ggml, llama string) {
	name := func(s string) string { return filepath.Join(folder, s) }
	return name("libggml-base.so"), name("libggml" + b.mark + "." + Version + ".so"), name("libllama" + b.mark + "." + Version + ".so")
}

// Installed returns the builds that lie below a folder of engines, unchecked, those for
// GPUs first.
func Installed(engines string) []Build {
	return slices.DeleteFunc(Builds(), func(b Build) bool {
		info, err := os.Stat(b.Folder(engines))
		return err != nil || !info.IsDir()
	})
}

// Check returns an error that wraps [ErrMissing] if there is no such folder, or
// [ErrUnknown] if it does not hold the very files of the build and nothing else.
func (b Build) Check(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("llama.cpp for %s: %w in %s", b.Backend, ErrMissing, folder)
	}
	if err != nil {
		return fmt.Errorf("check llama.cpp: %w", err)
	}
	if len(entries) != b.files {
		return fmt.Errorf("%s: %w: it has %d files, not %d", folder, ErrUnknown, len(entries), b.files)
	}
	sums := map[string][32]byte{}
	for _, e := range entries {
		if sums[e.Name()], err = hashFile(filepath.Join(folder, e.Name())); err != nil {
			return fmt.Errorf("check llama.cpp: %w", err)
		}
	}
	if sumOf(sums) != b.sum {
		return fmt.Errorf("%s: %w: a file was changed", folder, ErrUnknown)
	}
	return nil
}

func hashFile(path string) (sum [32]byte, err error) {
	f, err := os.Open(path) //nolint:gosec // in a folder that the caller names
	if err != nil {
		return sum, err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [32]byte(h.Sum(nil)), nil
}

// sumOf is the SHA-256, in hex, of the lines that sha256sum prints for files in the order
// of their names.
func sumOf(files map[string][32]byte) string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%x  %s\n", files[name], name)
	}
	return hex.EncodeToString(h.Sum(nil))
}
