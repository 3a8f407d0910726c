package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/engine"
)

// apiVersion is Docker 20.10's.
const apiVersion = "/v1.41"

// callTimeout bounds a call that does not wait for a program.
const callTimeout = 60 * time.Second

// maxAnswer bounds what the engine may say that is not a program's.
const maxAnswer = 4 << 20

// daemon speaks the HTTP API of Docker over a Unix socket.
type daemon struct {
	socket string
	http   *http.Client
}

func newDaemon(socket string) *daemon {
	dial := net.Dialer{Timeout: 10 * time.Second}
	return &daemon{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial.DialContext(ctx, "unix", socket) },
		IdleConnTimeout: time.Minute,
	}}}
}

// refusal is an answer of the engine other than success.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("container engine answered %d: %s", r.status, r.message)
}

// refused reports whether err is an answer with this status.
func refused(err error, status int) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.status == status
}

// send sends one request. The caller closes the answer's body. What cannot be
// sent wraps [engine.ErrUnavailable].
func (d *daemon) send(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "engine", Path: apiVersion + path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("container engine: %w", err)
	}
	if contentType == upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "tcp")
	} else if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := d.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: container engine at %s: %w", engine.ErrUnavailable, d.socket, err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what came says why
	var said struct{ Message string }
	if json.Unmarshal(raw, &said) != nil || said.Message == "" {
		said.Message = strings.TrimSpace(string(raw))
	}
	return nil, &refusal{resp.StatusCode, said.Message}
}

// call sends in as JSON, if it is not nil, and reads the answer into out, if
// that is not.
func (d *daemon) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return d.wait(ctx, method, path, query, in, out)
}

// wait is call for as long as ctx lasts.
func (d *daemon) wait(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	kind := ""
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("container engine: %w", err)
		}
		body, kind = bytes.NewReader(raw), "application/json"
	}
	resp, err := d.send(ctx, method, path, query, kind, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: container engine: %w", engine.ErrUnavailable, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("container engine: %s %s: %w", method, path, err)
	}
	return nil
}

// image is what the engine says of an image.
type image struct {
	ID           string `json:"Id"`
	RepoDigests  []string
	Os           string
	Architecture string
	Config       struct{ Volumes map[string]struct{} }
}

func (d *daemon) image(ctx context.Context, name string) (i image, err error) {
	err = d.call(ctx, http.MethodGet, "/images/"+name+"/json", nil, nil, &i)
	return i, err
}

// importImage makes an image of one layer. Its tag is a part of the name: Podman does not heed another.
func (d *daemon) importImage(ctx context.Context, name string, layer []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := d.send(ctx, http.MethodPost, "/images/create", url.Values{"fromSrc": {"-"}, "repo": {name}}, "application/x-tar", bytes.NewReader(layer))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // it is done when all was said
	return err
}

// limit is one of Ulimits.
type limit struct {
	Name string
	Soft int64
	Hard int64
}

// mount is one of Mounts.
type mount struct {
	Type   string
	Source string
	Target string
}

// deviceRequest asks for GPUs.
type deviceRequest struct {
	Driver       string
	DeviceIDs    []string
	Capabilities [][]string
}

// hostConfig has the words of the engine's API for what a container may do.
type hostConfig struct {
	NetworkMode    string
	ReadonlyRootfs bool
	CapDrop        []string
	SecurityOpt    []string
	Memory         int64
	MemorySwap     int64 // with swap: the same as Memory for none
	NanoCpus       int64
	PidsLimit      int64
	IpcMode        string
	ShmSize        int64 `json:",omitempty"`
	Ulimits        []limit
	Mounts         []mount
	Tmpfs          map[string]string `json:",omitempty"`
	LogConfig      map[string]string
	DeviceRequests []deviceRequest `json:",omitempty"`
}

// spec is a container to be created.
type spec struct {
	Image           string
	User            string
	Cmd             []string `json:",omitempty"`
	Env             []string `json:",omitempty"`
	WorkingDir      string   `json:",omitempty"`
	NetworkDisabled bool
	Labels          map[string]string
	HostConfig      hostConfig
}

func (d *daemon) create(ctx context.Context, s spec) (id string, err error) {
	var out struct {
		ID string `json:"Id"`
	}
	err = d.call(ctx, http.MethodPost, "/containers/create", nil, s, &out)
	return out.ID, err
}

func (d *daemon) start(ctx context.Context, id string) error {
	return d.call(ctx, http.MethodPost, "/containers/"+id+"/start", nil, nil, nil)
}

// upgrade is the content type that stands for a connection both ways.
const upgrade = "upgrade"

// attach returns what a container will print.
func (d *daemon) attach(ctx context.Context, id string) (io.ReadCloser, error) {
	resp, err := d.send(ctx, http.MethodPost, "/containers/"+id+"/attach", url.Values{"stream": {"1"}, "stdout": {"1"}, "stderr": {"1"}}, upgrade, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// ended waits until a container has ended.
func (d *daemon) ended(ctx context.Context, id string) error {
	return d.wait(ctx, http.MethodPost, "/containers/"+id+"/wait", nil, nil, nil)
}

// end is how a container ended.
type end struct {
	ExitCode  int
	OOMKilled bool
}

func (d *daemon) inspect(ctx context.Context, id string) (end, error) {
	var out struct{ State end }
	err := d.call(ctx, http.MethodGet, "/containers/"+id+"/json", nil, nil, &out)
	return out.State, err
}

// kill ends all processes of a container at once.
func (d *daemon) kill(ctx context.Context, id string) error {
	err := d.call(ctx, http.MethodPost, "/containers/"+id+"/kill", nil, nil, nil)
	if refused(err, http.StatusConflict) || refused(err, http.StatusNotFound) {
		return nil // it has ended by itself
	}
	return err
}

// remove kills a container and takes it away.
func (d *daemon) remove(ctx context.Context, id string) error {
	err := d.call(ctx, http.MethodDelete, "/containers/"+id, url.Values{"force": {"1"}, "v": {"1"}}, nil, nil)
	if refused(err, http.StatusNotFound) || refused(err, http.StatusConflict) {
		return nil // gone, or on its way
	}
	return err
}

// filters are those of a list: containers or volumes with a label.
func filters(label, value string) (string, error) {
	raw, err := json.Marshal(map[string][]string{"label": {label + "=" + value}})
	return string(raw), err
}

// containers lists those with a label, running or not.
func (d *daemon) containers(ctx context.Context, label, value string) (ids []string, err error) {
	f, err := filters(label, value)
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID string `json:"Id"`
	}
	err = d.call(ctx, http.MethodGet, "/containers/json", url.Values{"all": {"1"}, "filters": {f}}, nil, &list)
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids, err
}

// memoryVolume makes a volume of a fixed size in memory. The size is said in pages: Podman takes
// "size" for a quota of its own on a disk.
func (d *daemon) memoryVolume(ctx context.Context, name string, bytes int64, labels map[string]string) error {
	page := int64(os.Getpagesize()) // the engine is on this machine
	in := struct {
		Name, Driver string
		DriverOpts   map[string]string
		Labels       map[string]string
	}{name, "local", map[string]string{
		"type": "tmpfs", "device": "tmpfs",
		"o": "nr_blocks=" + strconv.FormatInt((bytes+page-1)/page, 10) + ",nr_inodes=" + strconv.Itoa(maxInodes) + ",uid=" + nobody + ",gid=" + nobody + ",mode=0700,nosuid,nodev",
	}, labels}
	return d.call(ctx, http.MethodPost, "/volumes/create", nil, in, nil)
}

func (d *daemon) volumes(ctx context.Context, label, value string) (names []string, err error) {
	f, err := filters(label, value)
	if err != nil {
		return nil, err
	}
	var out struct{ Volumes []struct{ Name string } }
	err = d.call(ctx, http.MethodGet, "/volumes", url.Values{"filters": {f}}, nil, &out)
	for _, v := range out.Volumes {
		names = append(names, v.Name)
	}
	return names, err
}

func (d *daemon) removeVolume(ctx context.Context, name string) error {
	err := d.call(ctx, http.MethodDelete, "/volumes/"+name, nil, nil, nil)
	if refused(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// put unpacks an archive in a container.
func (d *daemon) put(ctx context.Context, id, path string, archive []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := d.send(ctx, http.MethodPut, "/containers/"+id+"/archive", url.Values{"path": {path}}, "application/x-tar", bytes.NewReader(archive))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// get returns a folder of a container as an archive.
func (d *daemon) get(ctx context.Context, id, path string) (io.ReadCloser, error) {
	resp, err := d.send(ctx, http.MethodGet, "/containers/"+id+"/archive", url.Values{"path": {path}}, "", nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
