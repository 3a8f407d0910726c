package child

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/sandbox"
	"github.com/aitbc/aitbc/engine/llama/wire"
)

// Is says whether the program was called with a word of this package.
func Is(args []string) bool { return len(args) > 1 && (args[1] == wire.Word || args[1] == sealed) }

// Run is the program; args are those of the process.
func Run(args []string) error {
	if len(args) != 3 {
		return errors.New("it is aitbc-miner that calls this program so")
	}
	s, b, err := parse(args[2])
	if err != nil {
		return err
	}
	model := os.NewFile(3, "model")
	r := rules(s, b, os.Getenv("LD_LIBRARY_PATH"))
	if args[1] == wire.Word {
		r.Files = []*os.File{model}
		err := sandbox.Enter(r, []string{args[0], sealed, args[2]}, os.Environ())
		return errors.Join(err, wire.Write(os.Stdout, wire.Reply{Failed: err.Error()}))
	}
	out, err := frames()
	if err != nil {
		return err
	}
	if err := sandbox.Seal(r); err != nil {
		return errors.Join(err, wire.Write(out, wire.Reply{Failed: err.Error()}))
	}
	return serve(s, b, os.Stdin, out)
}

// frames takes the standard output for frames alone: what a library prints goes where
// problems are printed.
func frames() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 10)
	if err == nil {
		err = unix.Dup2(2, 1)
	}
	if err != nil {
		return nil, fmt.Errorf("take the standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), "frames"), nil
}

// rules say what a build needs: the machine's libraries and its own, and what tells of the
// processor; those for GPUs their devices and drivers besides.
func rules(s wire.Start, b library.Build, libraryPath string) sandbox.Rules {
	r := sandbox.Rules{
		Run: append(strings.FieldsFunc(libraryPath, func(c rune) bool { return c == ':' }),
			"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store"),
		Read:      []string{s.Folder, "/sys/devices/system/cpu", "/sys/devices/system/node", "/proc/cpuinfo", "/proc/meminfo"},
		Memory:    s.Memory,
		OpenFiles: s.OpenFiles,
	}
	if b.Backend == "cpu" {
		return r
	}
	r.Read = append(r.Read, "/proc", "/sys", "/etc/vulkan", "/usr/share/vulkan", "/usr/share/nvidia", "/usr/share/glvnd", "/usr/share/drirc.d")
	r.CUDA = b.CUDA()
	r.Devices = []string{"/dev/dri", "/dev/kfd"}
	for _, pattern := range []string{"/dev/nvidia*", "/usr/local/cuda*"} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		if strings.HasPrefix(pattern, "/dev/") {
			r.Devices = append(r.Devices, found...)
		} else {
			r.Run = append(r.Run, found...)
		}
	}
	r.Run = append(r.Run, "/run/opengl-driver", "/usr/local/nvidia") // NixOS and containers have drivers there
	return r
}
