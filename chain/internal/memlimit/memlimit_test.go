package memlimit_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/aitbc/aitbc/chain/internal/memlimit"
)

func TestTheLimitFollowsTheMachineAndItsContainer(t *testing.T) {
	const mib = 1 << 20
	machine := func(kib string) string { return "MemTotal:       " + kib + " kB\nMemFree: 1 kB\n" }
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
		by    string
	}{
		"nothing known":   {nil, 512 * mib, "the least that a node needs"},
		"a small machine": {map[string]string{"proc/meminfo": machine("524288")}, 512 * mib, "the machine's memory"},
		"a machine":       {map[string]string{"proc/meminfo": machine("4096000")}, 4096000 * 1024 / 100 * 60, "the machine's memory"},
		"a large machine": {map[string]string{"proc/meminfo": machine("131072000")}, 4096 * mib, "the machine's memory"},
		"damaged":         {map[string]string{"proc/meminfo": machine("much")}, 512 * mib, "the least that a node needs"},
		"a container": {map[string]string{
			"proc/meminfo": machine("131072000"), "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/memory.max": "2000000000\n",
		}, 1_200_000_000, "the control group's limit"},
		"a container of its own": {map[string]string{
			"proc/meminfo": machine("131072000"), "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000000\n",
		}, 600_000_000, "the control group's limit"},
		"an old kernel": {map[string]string{
			"proc/meminfo": machine("131072000"), "proc/self/cgroup": "9:memory:/x\n1:cpu:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "3000000000\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 1_800_000_000, "the control group's limit"},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range c.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			limit, by := memlimit.Choose(root)
			require.Equal(t, c.want, limit)
			require.Equal(t, c.by, by)
		})
	}
}
