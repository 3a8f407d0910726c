// Command guest is what the tests run in containers: it does as its arguments
// say, and often what it must not be able to do.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Println("hello from the image")
		return
	}
	does := map[string]func(args []string) error{
		"echo": echo, "copy": copyFiles, "exit": exit, "whoami": whoami, "outside": outside, "network": network, "hang": hang,
		"fork": fork, "fill": fill, "memory": memory, "shout": shout, "leave": leave, "bytes": raw, "env": env, "silent": silent,
	}
	do, ok := does[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "unknown:", os.Args[1])
		os.Exit(64)
	}
	if err := do(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func echo(args []string) error {
	fmt.Println(strings.Join(args, " "))
	fmt.Fprintln(os.Stderr, "said it")
	return nil
}

// copyFiles writes each input file to the output, in capitals.
func copyFiles([]string) error {
	in := os.Getenv("AITBC_INPUT")
	return filepath.WalkDir(in, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(os.Getenv("AITBC_OUTPUT"), strings.TrimPrefix(path, in))
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, bytes.ToUpper(b), 0o644))
	})
}

func exit(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err == nil {
		os.Exit(n)
	}
	return err
}

// whoami prints what the kernel lets this process do.
func whoami([]string) error {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		for _, k := range []string{"Uid:", "Gid:", "CapEff:", "CapPrm:", "CapBnd:", "NoNewPrivs:", "Seccomp:"} {
			if strings.HasPrefix(line, k) {
				fmt.Print(line)
			}
		}
	}
	wd, err := os.Getwd()
	fmt.Println("Dir:", wd)
	return err
}

// outside tries to write everywhere, and to read what is the machine's.
func outside(args []string) error {
	for _, path := range []string{"/", "/etc", "/usr", "/proc/sys/kernel", "/sys", "/dev", "/.dockerenv.d", "/var"} {
		if err := os.WriteFile(filepath.Join(path, "planted"), []byte("x"), 0o644); err == nil {
			fmt.Println("WROTE", path)
		}
	}
	if err := syscall.Mount("none", "/job", "tmpfs", 0, ""); err == nil {
		fmt.Println("MOUNTED")
	}
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("h"), 0); err == nil {
		fmt.Println("SYSRQ")
	}
	for _, path := range append(args, "/var/run/docker.sock", "/proc/1/root/etc/shadow", "/dev/sda", "/dev/vda", "/dev/mem", "/proc/kcore") {
		f, err := os.Open(path)
		if err == nil {
			n, _ := f.Read(make([]byte, 1))
			fmt.Println("READ", path, n)
		}
	}
	// What links point to must not come back.
	out := os.Getenv("AITBC_OUTPUT")
	for i, path := range append(args, "/etc/passwd", "/proc/self/environ") {
		_ = os.Symlink(path, filepath.Join(out, "link"+strconv.Itoa(i)))
	}
	_ = syscall.Mkfifo(filepath.Join(out, "pipe"), 0o644)
	_ = os.WriteFile(filepath.Join(out, "bad\nname"), []byte("x"), 0o644)
	_ = os.WriteFile(filepath.Join(out, "good"), []byte("x"), 0o644)
	return nil
}

// network tries to reach each address.
func network(args []string) error {
	all, err := net.Interfaces()
	for _, i := range all {
		fmt.Println("interface", i.Name)
	}
	for _, a := range args {
		c, err := net.DialTimeout("tcp", a, 2*time.Second)
		if err == nil {
			fmt.Println("REACHED", a)
			_ = c.Close()
		}
	}
	if _, err := net.LookupHost("example.com"); err == nil {
		fmt.Println("RESOLVED")
	}
	return err
}

// hang never ends, and neither does its child, which has a session of its own.
func hang(args []string) error {
	if len(args) == 0 {
		c := exec.Command("/proc/self/exe", "hang", "child")
		c.Stdout = os.Stdout
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			return err
		}
	}
	fmt.Println("hanging")
	for {
		time.Sleep(time.Hour)
	}
}

// silent closes what it could print to, and goes on.
func silent([]string) error {
	_ = syscall.Close(1)
	_ = syscall.Close(2)
	time.Sleep(1500 * time.Millisecond)
	return os.WriteFile(filepath.Join(os.Getenv("AITBC_OUTPUT"), "late"), []byte("late"), 0o644)
}

// fork starts copies of itself until it cannot.
func fork(args []string) error {
	if len(args) > 0 {
		time.Sleep(time.Minute)
		return nil
	}
	for n := 0; ; n++ {
		if err := exec.Command("/proc/self/exe", "fork", "child").Start(); err != nil {
			fmt.Println("started", n)
			return nil
		}
		if n == 5000 {
			fmt.Println("STARTED", n)
			return nil
		}
	}
}

// fill writes until there is no room.
func fill(args []string) error {
	for _, dir := range []string{os.Getenv("AITBC_OUTPUT"), "/tmp", "/dev/shm"} {
		f, err := os.Create(filepath.Join(dir, "big"))
		if err != nil {
			fmt.Println(dir, "closed")
			continue
		}
		block, n := make([]byte, 1<<20), 0
		for ; n < 1<<14; n++ {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
		fmt.Println(dir, n, "MiB")
		_ = os.Remove(f.Name())
	}
	n := 0
	for ; n < 1<<20; n++ {
		if err := os.WriteFile(filepath.Join(os.Getenv("AITBC_OUTPUT"), strconv.Itoa(n)), nil, 0o644); err != nil {
			break
		}
	}
	fmt.Println("files", n)
	return nil
}

func memory([]string) error {
	var all [][]byte
	for {
		b := make([]byte, 8<<20)
		for i := range b {
			b[i] = 1
		}
		all = append(all, b)
	}
}

// shout prints without end.
func shout([]string) error {
	w := bufio.NewWriter(os.Stdout)
	for {
		if _, err := fmt.Fprintln(w, strings.Repeat("all work and no play ", 50)); err != nil {
			return err
		}
	}
}

// leave leaves more than may be handed in, and a file that is nearly all hole.
func leave([]string) error {
	out := os.Getenv("AITBC_OUTPUT")
	if err := os.WriteFile(filepath.Join(out, "a-small"), []byte("small"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "b-large"), make([]byte, 3<<20), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(out, "z-holes"))
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(1<<40), f.Close())
}

// raw prints what is not UTF-8, and a character in two halves.
func raw([]string) error {
	_, err := os.Stdout.Write([]byte{'a', 0xff, 'b', 0xe2})
	time.Sleep(1200 * time.Millisecond)
	_, err2 := os.Stdout.Write([]byte{0x82, 0xac, '\n'})
	return errors.Join(err, err2)
}

func env([]string) error {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
	return nil
}
