package main

import (
	"context"
	"os"

	"github.com/aitbc/aitbc/engine/llama/library"
	"github.com/aitbc/aitbc/engine/llama/native"
)

// openLibrary opens llama.cpp for processors. Without a folder it is fetched from npm
// into dir.
func openLibrary(ctx context.Context, folder, dir string) (*native.Library, error) {
	b, err := library.Find("cpu")
	if err != nil {
		return nil, err
	}
	if folder == "" {
		registry, err := library.Registry(ctx, os.Getenv)
		if err != nil {
			return nil, err
		}
		if folder, _, err = b.Install(ctx, dir, library.Source{Registry: registry}, nil); err != nil {
			return nil, err
		}
	}
	if err := b.Check(folder); err != nil {
		return nil, err
	}
	return native.Open(b, folder)
}
