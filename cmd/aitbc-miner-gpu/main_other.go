//go:build !linux

package main

import (
	"encoding/json"
	"os"

	"github.com/aitbc/aitbc/miner/gpu"
)

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(gpu.Report{Error: "NVIDIA's management library is used on Linux alone"}); err != nil {
		os.Exit(1)
	}
}
