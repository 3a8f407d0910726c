package network

import (
	"os"
	"path/filepath"
	"strings"
)

// Blocks returns the blocks of commands of a page of the repository, in the order in which
// they stand.
func Blocks(page string) (all []string, err error) {
	root, err := Repository()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(root, page)) //nolint:gosec // of the repository
	if err != nil {
		return nil, err
	}
	for rest := string(raw); ; {
		_, after, found := strings.Cut(rest, "```sh\n")
		if !found {
			return all, nil
		}
		block, further, _ := strings.Cut(after, "\n```")
		all, rest = append(all, block), further
	}
}
