package gpu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// ChildPowerLimit is the word before the number of a device and milliwatts that has the child set a power limit.
const ChildPowerLimit = "power-limit"

// ErrNoPowerLimit reports a device whose driver lets no power limit be set.
var ErrNoPowerLimit = errors.New("its driver lets no power limit be set")

// BoundsError reports a power limit that a device does not take. All are in milliwatts; Max is zero where it is not known.
type BoundsError struct {
	Device             Device
	Asked, Least, Most uint64
}

func (e *BoundsError) Error() string {
	bounds := "at least " + watts(e.Least)
	if e.Most > 0 {
		bounds = fmt.Sprintf("%s to %s", watts(e.Least), watts(e.Most))
	}
	return fmt.Sprintf("GPU %d (%s) takes a power limit of %s W, not of %s", e.Device.Index, e.Device.Name, bounds, watts(e.Asked))
}

// RightsError reports a power limit that this user may not set.
type RightsError struct {
	Device  Device
	Command string // by which an administrator sets it
	Err     error
}

func (e *RightsError) Error() string {
	return fmt.Sprintf("GPU %d: this user may not set its power limit: %v", e.Device.Index, e.Err)
}

// Unwrap returns what the driver said.
func (e *RightsError) Unwrap() error { return e.Err }

// watts writes milliwatts as watts.
func watts(milliwatts uint64) string {
	return strconv.FormatFloat(float64(milliwatts)/1000, 'f', -1, 64)
}

// CheckPowerLimit returns [ErrNoPowerLimit] for a device without a power limit that can be set, a *[BoundsError] for one
// that does not take so many milliwatts, or nil.
func (d Device) CheckPowerLimit(milliwatts uint64) error {
	if d.PowerLimitSet == nil {
		return fmt.Errorf("GPU %d: %w", d.Index, ErrNoPowerLimit)
	}
	e := &BoundsError{Device: d, Asked: milliwatts, Least: 1000}
	if d.PowerLimitMin != nil {
		e.Least = *d.PowerLimitMin
	}
	if d.PowerLimitMax != nil {
		e.Most = *d.PowerLimitMax
	}
	if milliwatts < e.Least || e.Most > 0 && milliwatts > e.Most {
		return e
	}
	return nil
}

// SetPowerLimit has a device draw at most so many milliwatts; zero, where the driver knows it, switches the limit off. It
// returns a *[RightsError] if this user may not, and an error that wraps [ErrNoPowerLimit] if nobody can.
func (i Inventory) SetPowerLimit(ctx context.Context, d Device, milliwatts uint64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch d.Vendor {
	case NVIDIA:
		return i.limitNVIDIA(ctx, d, milliwatts)
	case AMD, Intel:
		return i.limitSysfs(d, milliwatts)
	default:
		return fmt.Errorf("GPU %d: %w", d.Index, ErrNoPowerLimit)
	}
}

// limitNVIDIA asks NVIDIA's library by way of the child, else nvidia-smi.
func (i Inventory) limitNVIDIA(ctx context.Context, d Device, milliwatts uint64) error {
	var r Report
	out, byChild := i.Run(ctx, Child, ChildPowerLimit, strconv.Itoa(d.Index), strconv.FormatUint(milliwatts, 10))
	if byChild == nil {
		byChild = json.Unmarshal(out, &r)
	}
	switch {
	case r.Denied:
		return &RightsError{d, d.limitCommand("", milliwatts), errors.New(r.Error)}
	case byChild == nil && r.Error == "":
		return nil
	case byChild == nil:
		byChild = errors.New(r.Error)
	}
	_, bySMI := i.Run(ctx, "nvidia-smi", "-i", strconv.Itoa(d.Index), "-pl", watts(milliwatts))
	switch {
	case bySMI == nil:
		return nil
	case refused(bySMI):
		return &RightsError{d, d.limitCommand("", milliwatts), bySMI}
	}
	return fmt.Errorf("GPU %d: set its power limit: %w", d.Index, errors.Join(byChild, bySMI))
}

// refused says whether nvidia-smi ended because its user has not the right: its man page has 4 for that.
func refused(err error) bool {
	const status = 4
	e, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	return ok && e.ExitCode() == status
}

// limitSysfs writes the limit where the driver of AMD or Intel takes it, in microwatts.
func (i Inventory) limitSysfs(d Device, milliwatts uint64) error {
	file := d.limitPath(i.Root)
	if file == "" || i.Write == nil {
		return fmt.Errorf("GPU %d: %w", d.Index, ErrNoPowerLimit)
	}
	err := i.Write(file, []byte(strconv.FormatUint(milliwatts*1000, 10)))
	if errors.Is(err, fs.ErrPermission) {
		return &RightsError{d, d.limitCommand(file, milliwatts), err}
	}
	if err != nil {
		return fmt.Errorf("GPU %d: set its power limit: %w", d.Index, err)
	}
	return nil
}

// limitPath is the file of a device of AMD's or Intel's that holds its power limit, "" if there is none.
func (d Device) limitPath(root fs.FS) string {
	sensors, err := fs.Glob(root, path.Join("sys/class/drm", "renderD"+strconv.Itoa(d.Index+firstRender), "device/hwmon/hwmon*"))
	if err != nil || len(sensors) == 0 {
		return ""
	}
	if file := limitFile(root, sensors[0]); file != "" {
		return path.Join(sensors[0], file)
	}
	return ""
}

// PowerLimitCommand is the command by which an administrator has a device draw at most so many milliwatts.
func (i Inventory) PowerLimitCommand(d Device, milliwatts uint64) string {
	return d.limitCommand(d.limitPath(i.Root), milliwatts)
}

func (d Device) limitCommand(file string, milliwatts uint64) string {
	if d.Vendor == NVIDIA {
		return fmt.Sprintf("sudo nvidia-smi -i %d -pl %s", d.Index, watts(milliwatts))
	}
	return fmt.Sprintf("echo %d | sudo tee /%s", milliwatts*1000, strings.TrimPrefix(file, "/"))
}
