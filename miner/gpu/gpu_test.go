package gpu_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/aitbc/aitbc/miner/gpu"
)

func TestMissingDevices(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{"dev/nvidia0": {}, "dev/dri/renderD129": {}}
	if got := gpu.Missing(root, []int{0, 1, 2}); !slices.Equal(got, []int{2}) {
		t.Errorf("missing %v", got)
	}
	if got := gpu.Missing(fstest.MapFS{}, nil); got != nil {
		t.Errorf("missing %v of none", got)
	}
}
