package httpapi

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/apierr"
	"github.com/aitbc/aitbc/coordinator"
	"github.com/aitbc/aitbc/httpx"
)

// maxPiece bounds one line of a token stream.
const maxPiece = 64 << 10

func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	var in api.RegisterRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Register(r.Context(), in)
	return httpx.Answer(w, out, err)
}

func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	var in api.HeartbeatRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Heartbeat(r.Context(), c, in)
	return httpx.Answer(w, out, err)
}

func (s *Server) claim(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	seconds := 0
	if text := r.URL.Query().Get("wait"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 0 || seconds > 3600 {
			return apierr.New(apierr.Invalid, "wait is not a number of seconds")
		}
	}
	ctx, cancel := s.waiting(r)
	defer cancel()
	a, err := s.svc.Claim(ctx, c, time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	if a == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	httpx.WriteJSON(w, http.StatusOK, a)
	return nil
}

func (s *Server) drain(w http.ResponseWriter, _ *http.Request, c coordinator.Caller) error {
	s.svc.Drain(c)
	httpx.WriteJSON(w, http.StatusOK, map[string]string{"state": "draining"})
	return nil
}

// stream takes pieces as the miner makes them, one JSON value a line. It
// answers when the stream ends, or at once when the miner should stop.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	lease := r.URL.Query().Get("lease")
	// The answer may come before the whole body: the miner then stops.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	// Unless the body is read to its end the connection cannot be used again: net/http would break it, and with it the answer.
	w.Header().Set("Connection", "close")
	lines := bufio.NewReaderSize(r.Body, maxPiece)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			w.Header().Del("Connection")
			break
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return apierr.New(apierr.TooLarge, "a line of the stream is longer than %d bytes", maxPiece)
		}
		if err != nil { // an unfinished line is no piece
			return apierr.Wrap(err, apierr.Invalid, "the stream was cut: send it again")
		}
		var p api.Piece
		if err := decode(line, &p); err != nil {
			return err
		}
		stop, err := s.svc.Piece(r.Context(), c, id, lease, p)
		if err != nil {
			return err
		}
		if stop {
			break
		}
	}
	n, canceled, err := s.svc.Delivered(r.Context(), c, id, lease)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, api.StreamResponse{Delivered: n, Canceled: canceled})
	return nil
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	var in api.ResultRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.svc.Complete(r.Context(), c, id, in)
	return httpx.Answer(w, out, err)
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, c coordinator.Caller) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	var in api.FailureRequest
	if err := httpx.DecodeJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.svc.Fail(r.Context(), c, id, in); err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]string{"state": "recorded"})
	return nil
}
