package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/aitbc/aitbc/engine/llama/child"
	"github.com/aitbc/aitbc/miner/gpu"
	"github.com/aitbc/aitbc/miner/gpu/nvml"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == gpu.ChildPowerLimit {
		os.Exit(powerLimit(os.Args[2:], os.Stdout))
	}
	if child.Is(os.Args) {
		if err := child.Run(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, "aitbc-miner-gpu:", err)
			os.Exit(1)
		}
		return
	}
	library := nvml.Library
	if len(os.Args) > 1 {
		library = os.Args[1]
	}
	var r gpu.Report
	var err error
	if r.Devices, err = nvml.Devices(library); err != nil {
		r.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
}
