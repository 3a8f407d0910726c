package exact_test

import (
	"context"
	"fmt"
	"os"

	"github.com/aitbc/aitbc/engine"
	"github.com/aitbc/aitbc/engine/exact"
)

func Example() {
	m, err := exact.Embedded(exact.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	req := engine.Request{Messages: []engine.Message{{Role: engine.RoleUser, Content: "What is the capital of France?"}}}
	result, err := m.Generate(context.Background(), req, func(t engine.Token) error {
		_, err := fmt.Fprint(os.Stdout, t.Text)
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("\n%s after %d tokens\n", result.FinishReason, result.CompletionTokens)
	// Output:
	// The capital of France is Paris.
	// stop after 10 tokens
}
