package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator/ledger"
)

// Limits of files.
const (
	MaxFile      = 32 << 20  // bytes
	maxFiles     = 512 << 20 // bytes of an account's, together
	maxFileName  = 255
	minFileLife  = time.Hour
	maxFileList  = 10_000
	purposeBatch = "batch"
	purposeMade  = "batch_output"
)

// newID is a name that nobody guesses.
func newID(prefix string) string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return prefix + hex.EncodeToString(b[:])
}

// PutFile keeps a file of the caller's account for as long as content is kept, or for life if that is given and shorter.
func (s *Service) PutFile(ctx context.Context, c Caller, name, purpose string, life time.Duration, content []byte) (ledger.File, error) {
	now := time.Now()
	f := ledger.File{
		ID: newID("file-"), Account: c.Account, Name: name, Purpose: purpose, Bytes: int64(len(content)), Created: now.UnixMilli(),
		Expires: now.Add(s.cfg.KeepContent).UnixMilli(),
	}
	switch {
	case purpose != purposeBatch:
		return f, apierr.New(apierr.Invalid, "purpose is %.40q: only batch is offered", purpose)
	case len(content) == 0:
		return f, apierr.New(apierr.Invalid, "the file is empty")
	case len(content) > MaxFile:
		return f, apierr.New(apierr.TooLarge, "the file has more than %d bytes", MaxFile)
	case len(name) > maxFileName || !utf8.ValidString(name):
		return f, apierr.New(apierr.Invalid, "the file's name has more than %d bytes, or is no text", maxFileName)
	case life != 0 && life < minFileLife:
		return f, apierr.New(apierr.Invalid, "expires_after is below %d seconds", int(minFileLife.Seconds()))
	case life != 0 && life < s.cfg.KeepContent:
		f.Expires = now.Add(life).UnixMilli()
	}
	err := s.cfg.Store.PutFile(ctx, f, content, maxFiles)
	if errors.Is(err, ledger.ErrQuota) {
		return f, apierr.New(apierr.Conflict, "the account's files would have more than %d bytes together: delete some", maxFiles)
	}
	return f, err
}

// deleted is the error of whoever comes for content that is kept no longer.
func (s *Service) deleted() error {
	return apierr.New(apierr.NotFound, "the content of this job was deleted: it is kept for %s", s.cfg.KeepContent)
}

// Files lists the files of the caller's account, newest first.
func (s *Service) Files(ctx context.Context, c Caller) ([]ledger.File, error) {
	return s.cfg.Store.Files(ctx, c.Account, maxFileList)
}

// File returns a file of the caller's account.
func (s *Service) File(ctx context.Context, c Caller, id string) (ledger.File, []byte, error) {
	f, content, err := s.cfg.Store.File(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && (f.Account != c.Account || f.Expires < time.Now().UnixMilli()) {
		return ledger.File{}, nil, apierr.New(apierr.NotFound, "there is no such file of this account")
	}
	return f, content, err
}

// RemoveFile deletes a file of the caller's account.
func (s *Service) RemoveFile(ctx context.Context, c Caller, id string) error {
	err := s.cfg.Store.RemoveFile(ctx, c.Account, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return apierr.New(apierr.NotFound, "there is no such file of this account")
	case errors.Is(err, ledger.ErrInUse):
		return apierr.New(apierr.Conflict, "a batch is at work on this file: cancel it, or wait for its end")
	}
	return err
}
