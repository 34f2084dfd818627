package callabsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxBodyBytes bounds a request's body.
const maxBodyBytes = 1 << 20

// answer is one request being answered.
type answer struct {
	w http.ResponseWriter
	r *http.Request
	// body is the whole request body. It has been read, so the server sees
	// it when the client leaves.
	body   []byte
	status int
}

// api wraps an endpoint under /v1: body, bearer token, latency, log. An
// endpoint picks its fault itself, since that may depend on the body.
func (s *Sim) api(endpoint func(a *answer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{w: w, r: r}
		// A cut unwinds as a panic, and is logged as well.
		defer func() {
			s.options.Log.Info("callab.request", "method", r.Method, "path", r.URL.Path, "http_status", a.status)
		}()
		var err error
		if a.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes)); err != nil {
			a.refuse(http.StatusBadRequest, "body cannot be read")
			return
		}
		if r.Method == http.MethodPost {
			s.posts.Add(1)
		}
		a.wait(s.options.Latency)
		if !s.allowed(r) {
			a.refuse(http.StatusUnauthorized, "invalid or missing token")
			return
		}
		endpoint(a)
	})
}

func (s *Sim) allowed(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return false
	}
	return len(s.options.Tokens) == 0 || slices.Contains(s.options.Tokens, token)
}

// envelope is around every answer, errors included.
type envelope struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

func (a *answer) ok(data any) {
	a.send(http.StatusOK, envelope{Status: "ok", Message: "ok", Data: data})
}

// refuse answers an error; its data is an empty string, as documented.
func (a *answer) refuse(status int, message string) {
	a.send(status, envelope{Status: "error", Message: message, Data: ""})
}

func (a *answer) send(status int, body any) {
	a.status = status
	a.w.Header().Set("Content-Type", "application/json")
	a.w.WriteHeader(status)
	_ = json.NewEncoder(a.w).Encode(body)
}

func (a *answer) garbage() {
	a.status = http.StatusOK
	a.w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(a.w, "<html><body>It works!</body></html>")
}

// half sends the first half of a good answer and cuts the connection.
func (a *answer) half(data any) {
	var whole bytes.Buffer
	_ = json.NewEncoder(&whole).Encode(envelope{Status: "ok", Message: "ok", Data: data})
	a.w.WriteHeader(http.StatusOK)
	_, _ = a.w.Write(whole.Bytes()[:whole.Len()/2])
	_ = http.NewResponseController(a.w).Flush()
	a.cut()
}

// cut ends the connection without an answer.
func (a *answer) cut() { panic(http.ErrAbortHandler) }

// hang waits until the client leaves, or for limit if that is not zero.
func (a *answer) hang(limit time.Duration) {
	if limit > 0 {
		a.wait(limit)
		return
	}
	<-a.r.Context().Done()
}

func (a *answer) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-a.r.Context().Done():
	case <-timer.C:
	}
}
