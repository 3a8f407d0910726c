package httpapi

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/coordinator/ledger"
	"github.com/aitbc/aitbc/httpx"
)

// formRoom is what the fields of a form may have beside the file.
const formRoom = 64 << 10

func file(f ledger.File) object {
	return object{
		"id": f.ID, "object": "file", "bytes": f.Bytes, "created_at": seconds(f.Created), "expires_at": seconds(f.Expires), "filename": f.Name,
		"purpose": f.Purpose, "status": "processed", "status_details": nil,
	}
}

// upload is a form with a file, as OpenAI's clients send it.
type upload struct {
	name, purpose string
	life          time.Duration
	content       []byte
}

func readUpload(w http.ResponseWriter, r *http.Request) (u upload, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return u, apierr.New(apierr.Invalid, "send a form (multipart/form-data) with purpose and file")
	}
	body, err := httpx.ReadBody(w, r, coordinator.MaxFile+formRoom)
	if err != nil {
		return u, err
	}
	form := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
	for seen := false; ; {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			if !seen {
				return u, apierr.New(apierr.Invalid, "the form has no file")
			}
			return u, nil
		}
		if err != nil {
			return u, apierr.Wrap(err, apierr.Invalid, "the form is malformed")
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			return u, apierr.Wrap(err, apierr.Invalid, "the form is malformed")
		}
		switch p.FormName() {
		case "purpose":
			u.purpose = string(raw)
		case "file":
			u.name, u.content, seen = path.Base(p.FileName()), raw, true
		case "expires_after[anchor]":
			if string(raw) != "created_at" {
				return u, apierr.New(apierr.Invalid, "expires_after[anchor] must be created_at")
			}
		case "expires_after[seconds]":
			n, err := strconv.ParseUint(string(raw), 10, 31)
			if err != nil || n == 0 {
				return u, apierr.New(apierr.Invalid, "expires_after[seconds] is not a number of seconds")
			}
			u.life = time.Duration(n) * time.Second
		default:
			return u, apierr.New(apierr.Invalid, "the form has a field %.40q that is not known", p.FormName())
		}
	}
}

func (s *Server) putFile(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	u, err := readUpload(w, r)
	if err != nil {
		return err
	}
	f, err := s.svc.PutFile(r.Context(), c, u.name, u.purpose, u.life, u.content)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, file(f))
	return nil
}

func (s *Server) files(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	all, err := s.svc.Files(r.Context(), c)
	if err != nil {
		return err
	}
	if purpose := r.URL.Query().Get("purpose"); purpose != "" {
		kept := all[:0]
		for _, f := range all {
			if f.Purpose == purpose {
				kept = append(kept, f)
			}
		}
		all = kept
	}
	out, err := pageOf(r, all, func(f ledger.File) string { return f.ID }, 10_000, file)
	return answered(w, http.StatusOK, out, err)
}

func (s *Server) file(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	f, _, err := s.svc.File(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, file(f))
	return nil
}

func (s *Server) fileContent(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	_, content, err := s.svc.File(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(content) // the reader may be gone
	return nil
}

func (s *Server) removeFile(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id := r.PathValue("id")
	return answered(w, http.StatusOK, object{"id": id, "object": "file", "deleted": true}, s.svc.RemoveFile(r.Context(), c, id))
}
