package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/gpu/nvml"
)

// powerLimit sets a power limit and prints a report about it. It returns the exit status: 0 whenever there is a report.
func powerLimit(args []string, out io.Writer) int {
	err := setPowerLimit(args)
	r := gpu.Report{Denied: errors.Is(err, nvml.ErrDenied)}
	if err != nil {
		r.Error = err.Error()
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return 1
	}
	return 0
}

func setPowerLimit(args []string) error {
	library := nvml.Library
	if len(args) == 3 {
		library, args = args[2], args[:2]
	}
	if len(args) != 2 {
		return errors.New("usage: aitbc-miner-gpu power-limit DEVICE MILLIWATTS [LIBRARY]")
	}
	device, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return fmt.Errorf("%q is no number of a device", args[0])
	}
	milliwatts, err := strconv.ParseUint(args[1], 10, 32)
	if err != nil {
		return fmt.Errorf("%q is no number of milliwatts", args[1])
	}
	return nvml.SetPowerLimit(library, uint32(device), uint32(milliwatts))
}
