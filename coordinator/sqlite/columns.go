package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"github.com/aitbc/aitbc/market"
)

// amt stores an amount as decimal text.
type amt struct{ market.Amount }

func (a amt) Value() (driver.Value, error) { return a.String(), nil }

func (a *amt) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("amount column holds %T", v)
	}
	var err error
	a.Amount, err = market.ParseAmount(s)
	return err
}

// doc stores a value as JSON text; the empty string is the zero value.
type doc[T any] struct{ v *T }

func (d doc[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.v)
	return string(b), err
}

func (d doc[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("json column holds %T", v)
	}
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), d.v)
}
