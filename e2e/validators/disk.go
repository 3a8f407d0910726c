package validators

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Disk is a small file system that holds a node's data.
type Disk struct {
	c       *Cluster
	node    int
	ballast string
}

// SmallDisk stops a node and starts it again with its data on a disk of that
// many bytes. The test is skipped where such a disk cannot be had.
func (c *Cluster) SmallDisk(i int, size int64) *Disk {
	c.t.Helper()
	c.Stop(i)
	data := filepath.Join(c.Nodes[i].Home, "data")
	d := &Disk{c: c, node: i, ballast: filepath.Join(data, "ballast")}
	aside := data + ".aside"
	if err := os.Rename(data, aside); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := mount(data, size); err != nil {
		c.t.Skipf("a small disk needs a tmpfs, which cannot be mounted here: %v", err)
	}
	c.t.Cleanup(func() {
		for _, n := range c.Nodes {
			if n.process != nil {
				n.process.kill() // nothing may use the disk any more
			}
		}
		if err := unmount(data); err != nil {
			c.t.Errorf("unmount %s: %v", data, err)
		}
	})
	if err := os.CopyFS(data, os.DirFS(aside)); err != nil {
		c.t.Fatal(err)
	}
	// The copy is readable by whoever could read the original.
	if err := os.Chmod(filepath.Join(data, "priv_validator_state.json"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.Restart(i)
	return d
}

// Fill takes all space that is left, and goes on taking what becomes free for a moment.
func (d *Disk) Fill() {
	d.c.t.Helper()
	f, err := os.Create(d.ballast)
	if err != nil {
		d.c.t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the disk is full on purpose
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			d.c.t.Fatal(err)
		}
	}
}

// Free gives the space back. What the node said of the lack of it is forgotten.
func (d *Disk) Free() {
	d.c.t.Helper()
	d.c.pardon(d.node)
	if err := os.Remove(d.ballast); err != nil {
		d.c.t.Fatal(err)
	}
}

// Ends reports whether a node ends by itself.
func (c *Cluster) Ends(i int, within time.Duration) bool { return c.Nodes[i].process.ended(within) }

// Says fails the test unless the words are in a node's log.
func (c *Cluster) Says(i int, words string) {
	c.t.Helper()
	raw, err := os.ReadFile(c.Nodes[i].Log)
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(string(raw), words) {
		c.t.Fatalf("node%d does not say %q", i, words)
	}
}
