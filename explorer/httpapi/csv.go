package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/httpx"
)

// writePage answers with a page as JSON, or with its rows as CSV if format=csv.
func writePage[T any](w http.ResponseWriter, r *http.Request, p Page[T]) error {
	switch r.URL.Query().Get("format") {
	case "", "json":
		if p.Items == nil {
			p.Items = []T{}
		}
		httpx.WriteJSON(w, http.StatusOK, p)
		return nil
	case "csv":
		b, err := table(p.Items)
		if err != nil {
			return err
		}
		if p.Next != "" {
			w.Header().Set("Aitbc-Next", p.Next)
		}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="aitbc.csv"`)
		_, err = w.Write(b)
		return err
	default:
		return apierr.New(apierr.Invalid, "format is json or csv")
	}
}

// table writes rows with a column for each field of their JSON. What a
// spreadsheet would take for a formula gets an apostrophe.
func table[T any](rows []T) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	var none T
	names, _, err := cells(none)
	if err != nil {
		return nil, err
	}
	if err := w.Write(names); err != nil {
		return nil, err
	}
	for _, row := range rows {
		_, values, err := cells(row)
		if err != nil {
			return nil, err
		}
		if err := w.Write(values); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// cells are the names and the values of a row's JSON, in its order.
func cells(row any) (names, values []string, err error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil { // the brace
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, nil, err
		}
		text := string(v)
		var s string
		if json.Unmarshal(v, &s) == nil {
			if text = s; s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) { // null becomes nothing
				text = "'" + s
			}
		}
		names, values = append(names, name.(string)), append(values, text) //nolint:forcetypeassert // of an object
	}
	return names, values, nil
}
