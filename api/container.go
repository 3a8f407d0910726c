package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aitbc/aitbc/receipt/artifact"
)

// KindContainer is the kind of an offer that is an image for programs in
// containers. Its digest is the image's, and its price is one by the second.
const KindContainer = "container"

// MaxContainerBytes bounds what a container is given, in all.
const MaxContainerBytes = 512 << 10

const maxContainerItems = 1024

// Container says what to run in a container of an image: the model of the job
// names the image. The program finds Files below /job/input, and what it leaves
// below /job/output comes back. It runs as nobody, without network.
type Container struct {
	Command []string          `json:"command,omitempty"` // runs in /job; left out: the image's own, where the image has it run
	Env     map[string]string `json:"env,omitempty"`
	Files   []ContainerFile   `json:"files,omitempty"`
}

// ContainerFile is a file for the program.
type ContainerFile struct {
	Path string `json:"path"` // below /job/input, with slashes
	Data []byte `json:"data"` // base64
}

// Check returns nil if a miner can be sent this.
func (c *Container) Check() error {
	if len(c.Command) > maxContainerItems || len(c.Env) > maxContainerItems || len(c.Files) > artifact.MaxFiles {
		return fmt.Errorf("container has more than %d arguments or variables, or %d files", maxContainerItems, artifact.MaxFiles)
	}
	size := 0
	for _, a := range c.Command {
		size += len(a)
	}
	if len(c.Command) > 0 && c.Command[0] == "" || strings.Contains(strings.Join(c.Command, ""), "\x00") {
		return errors.New("container.command names no program, or holds a zero byte")
	}
	for k, v := range c.Env {
		size += len(k) + len(v)
		if strings.HasPrefix(k, "NVIDIA_") || strings.HasPrefix(k, "LD_") {
			return fmt.Errorf("container.env: %.40q may not be set: what starts the program heeds it too; have the program set it", k)
		}
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(v, "\x00") {
			return fmt.Errorf("container.env: %.40q cannot be the name of a variable, or its value holds a zero byte", k)
		}
	}
	seen := map[string]bool{}
	for i, f := range c.Files {
		size += len(f.Path) + len(f.Data)
		if !artifact.GoodPath(f.Path) || seen[f.Path] {
			return fmt.Errorf("container.files[%d].path is no plain path below the input folder, or comes twice", i)
		}
		seen[f.Path] = true
	}
	if size > MaxContainerBytes {
		return fmt.Errorf("container has %d bytes of arguments, variables and files; at most %d are taken", size, MaxContainerBytes)
	}
	return nil
}
