package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// failure is an answer that says why there is no other. It is what clients see as {"error": {"code", "message"}}.
type failure struct {
	status     int
	code       string // a fixed word, for programs
	message    string // what was got, what was wanted and what to do, for people
	retryAfter int    // seconds after which the same request may succeed; 0: not by waiting
}

func (f *failure) Error() string { return f.message }

func fail(status int, code, format string, values ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, values...)}
}

// busy is a failure that passes by itself.
func busy(status int, code, format string, values ...any) *failure {
	f := fail(status, code, format, values...)
	f.retryAfter = 1
	return f
}

// statusClientGone is nginx's status for a client that closed the connection before its answer; only metrics see it.
const statusClientGone = 499

// errClientGone ends a request that nobody waits for.
var errClientGone = fail(statusClientGone, "client_gone", "the client has gone")

func writeFailure(w http.ResponseWriter, f *failure) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, f.status, struct {
		Error body `json:"error"`
	}{body{f.code, f.message}})
}

// writeJSON answers with one JSON document. An error while writing means that the client has gone: there is nobody to tell.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // a number that JSON cannot write
		writeFailure(w, fail(http.StatusInternalServerError, "internal", "the answer cannot be written as JSON: %v", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}
