package validators

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Disk is a small file system that holds a node's data.
type Disk struct {
	c       *Cluster
	node    int
	ballast string
}

// diskSize is enough for a test, and taken from memory only as it is used.
const diskSize = 512 << 20

// HasDisks reports whether small file systems can be made here.
func HasDisks(t testing.TB) bool {
	t.Helper()
	dir := t.TempDir()
	if err := mount(dir, 1<<20); err != nil {
		return false
	}
	return unmount(dir) == nil
}

// SmallDisk stops a node and starts it again with its data on a disk of its
// own. The test is skipped where such a disk cannot be had.
func (c *Cluster) SmallDisk(i int) *Disk {
	c.t.Helper()
	if !HasDisks(c.t) {
		c.t.Skip("a small disk needs a tmpfs, which cannot be mounted here")
	}
	c.Stop(i)
	c.giveDisk(i)
	c.Restart(i)
	return c.Nodes[i].disk
}

// giveDisk moves the data of a node that does not run to a disk of its own.
func (c *Cluster) giveDisk(i int) {
	c.t.Helper()
	data := filepath.Join(c.Nodes[i].Home, "data")
	aside := data + ".aside"
	if err := os.Rename(data, aside); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := mount(data, diskSize); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if p := c.Nodes[i].process; p != nil {
			p.kill() // nothing may use the disk any more
		}
		if err := unmount(data); err != nil {
			c.t.Errorf("unmount %s: %v", data, err)
		}
	})
	if err := os.CopyFS(data, os.DirFS(aside)); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, "priv_validator_state.json"), 0o600); err != nil { // as the original
		c.t.Fatal(err)
	}
	c.Nodes[i].disk = &Disk{c: c, node: i, ballast: filepath.Join(data, "ballast")}
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
