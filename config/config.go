// Package config loads settings into plain structs: defaults, then a TOML file,
// then environment variables, then flags, and validates the outcome.
//
// The destination holds the defaults when [Load] is called. Its fields carry
// the tags toml:"key" (as in BurntSushi/toml), env:"NAME" and flag:"name".
package config

import (
	"encoding"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// ErrUnknownKey reports a key of a file that no setting has.
var ErrUnknownKey = errors.New("unknown key")

// A Source names where settings come from. The zero value of each field leaves
// that source out.
type Source struct {
	File     string              // TOML file
	Optional bool                // a missing File is no error
	Env      func(string) string // os.Getenv, or a test's
	Flags    *flag.FlagSet       // parsed; only flags that were given count
}

// Validator is what a destination implements to check itself at the end of [Load].
type Validator interface{ Validate() error }

// Load fills dst, a pointer to a struct with the defaults, from src. It returns
// an error that names the file and key, or the variable or flag, and wraps
// [ErrUnknownKey] or [fs.ErrNotExist] where those are the reason.
func Load(dst any, src Source) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic("config: destination is not a pointer to a struct")
	}
	if src.File != "" {
		if err := loadFile(dst, src); err != nil {
			return err
		}
	}
	if src.Env != nil {
		if err := walk(v.Elem(), "env", func(f reflect.Value, name string) error {
			text := src.Env(name)
			if text == "" {
				return nil
			}
			if err := parse(f, text); err != nil {
				return fmt.Errorf("environment variable %s: %w", name, err)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if src.Flags != nil {
		given := map[string]string{}
		src.Flags.Visit(func(f *flag.Flag) { given[f.Name] = f.Value.String() })
		if err := walk(v.Elem(), "flag", func(f reflect.Value, name string) error {
			text, ok := given[name]
			if !ok {
				return nil
			}
			if err := parse(f, text); err != nil {
				return fmt.Errorf("flag --%s: %w", name, err)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if c, ok := dst.(Validator); ok {
		if err := c.Validate(); err != nil {
			if src.File != "" {
				return fmt.Errorf("settings of %s: %w", src.File, err)
			}
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

func loadFile(dst any, src Source) error {
	raw, err := os.ReadFile(src.File)
	if src.Optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	meta, err := toml.Decode(string(raw), dst)
	if err != nil {
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			return fmt.Errorf("%s, line %d: %s", src.File, p.Position.Line, p.Message)
		}
		return fmt.Errorf("%s: %w", src.File, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		names := make([]string, len(unknown))
		for i, k := range unknown {
			names[i] = strconv.Quote(k.String())
		}
		return fmt.Errorf("%s: %w %s", src.File, ErrUnknownKey, strings.Join(names, ", "))
	}
	return nil
}

// walk calls apply for each settable field with the tag, going into structs.
func walk(v reflect.Value, tag string, apply func(reflect.Value, string) error) error {
	t := v.Type()
	for i := range t.NumField() {
		f := v.Field(i)
		if !t.Field(i).IsExported() {
			continue
		}
		if name := t.Field(i).Tag.Get(tag); name != "" {
			if err := apply(f, name); err != nil {
				return err
			}
			continue
		}
		if f.Kind() == reflect.Struct {
			if err := walk(f, tag, apply); err != nil {
				return err
			}
		}
	}
	return nil
}

// parse reads text into f, by its type: a string, bool, integer, float, duration, a type
// with UnmarshalText, or a comma-separated list of those.
func parse(f reflect.Value, text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](f.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	if f.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want a duration such as 1s or 5m, got %q", text)
		}
		f.SetInt(int64(d))
		return nil
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false, got %q", text)
		}
		f.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a whole number, got %q", text)
		}
		f.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a whole number, not negative, got %q", text)
		}
		f.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(text, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a number such as 0.5, got %q", text)
		}
		f.SetFloat(n)
	case reflect.Slice:
		parts := strings.Split(text, ",")
		s := reflect.MakeSlice(f.Type(), len(parts), len(parts))
		for i, p := range parts {
			if err := parse(s.Index(i), strings.TrimSpace(p)); err != nil {
				return err
			}
		}
		f.Set(s)
	default:
		panic("config: a tagged field has the unsupported type " + f.Type().String())
	}
	return nil
}
