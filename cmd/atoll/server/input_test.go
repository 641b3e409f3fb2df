package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBadRequests(t *testing.T) {
	limits := DefaultLimits()
	limits.BodyBytes, limits.Texts = 400, 3
	classifier := &fake{}
	r := start(t, limits, fakeModel(classifier)).ready()
	for _, c := range []struct {
		body    string
		status  int
		code    string
		message string
	}{
		{``, 400, "bad_json", "the body is empty"},
		{" \n", 400, "bad_json", "the body is empty"},
		{`{"input": "a"`, 400, "bad_json", "ends at byte 13"},
		{`{"input": ["a" "b"]}`, 400, "bad_json", `at byte 15 (from 0): invalid character '"'`},
		{`{"input": "a"} x`, 400, "bad_json", "at byte 15"},
		{`{"input": "a"}{"input": "b"}`, 400, "bad_json", "at byte 14"},
		{`{'input': "a"}`, 400, "bad_json", "at byte 1 "},
		{"{\"input\": \"a\nb\"}", 400, "bad_json", "at byte 12"},
		{"{\"input\": \"a\xffb\"}", 400, "invalid_utf8", "byte 12 (from 0) of the body is 0xff"},
		{"{\"input\": \"\xc3\"}", 400, "invalid_utf8", "byte 11"},
		{"\xff\xfe{\x00", 400, "invalid_utf8", "byte 0"},
		{`{"input": "\ud83d"}`, 400, "invalid_utf8", `\ud83d at byte 11`},
		{`["a"]`, 400, "bad_json", "is a JSON array, want an object"},
		{`"a"`, 400, "bad_json", "is a JSON string"},
		{`null`, 400, "bad_json", "is null"},
		{`{}`, 400, "missing_input", `no "input"`},
		{`{"inputs": "a", "Input": "a"}`, 400, "missing_input", `no "input"`},
		{`{"input": "a", "input": "b"}`, 400, "bad_request", "twice"},
		{`{"input": null}`, 400, "bad_request", `"input" is null, want a string`},
		{`{"input": 3}`, 400, "bad_request", "a number"},
		{`{"input": {"text": "a"}}`, 400, "bad_request", "an object"},
		{`{"input": ["a", null]}`, 400, "bad_request", "text 1 (from 0) is null"},
		{`{"input": ["a", ["b"]]}`, 400, "bad_request", "text 1 (from 0) is an array"},
		{`{"input": []}`, 400, "empty_input", "empty array"},
		{`{"input": ""}`, 400, "empty_input", "text 0"},
		{`{"input": ["a", " \n\t\u00a0"]}`, 400, "empty_input", "text 1"},
		{`{"input": ["a", "b", "c", "d"]}`, 413, "too_many_texts", "more than 3 texts"},
		{`{"input": "` + strings.Repeat("a", 400) + `"}`, 413, "body_too_large", "larger than 400 bytes"},
	} {
		wantError(t, r.post(context.Background(), c.body), c.status, c.code, c.message)
	}
	if calls := classifier.calls(); len(calls) != 0 {
		t.Errorf("the model was asked for %v, want nothing", calls)
	}
	wantError(t, r.post(context.Background(), strings.Repeat("[", 350)), 400, "bad_json", "ends at byte 350")
}

func TestBadHeaders(t *testing.T) {
	r := start(t, DefaultLimits(), fakeModel(&fake{})).ready()
	for _, c := range []struct {
		contentType, encoding string
		status                int
	}{
		{"application/json", "", 200}, {"Application/JSON; charset=UTF-8", "identity", 200},
		{"", "", 415}, {"text/plain", "", 415}, {"application/x-www-form-urlencoded", "", 415}, {"application/json; charset=latin1", "", 415},
		{";;", "", 415}, {"application/json", "gzip", 415},
	} {
		request, err := http.NewRequest(http.MethodPost, r.url+"/v1/classify", strings.NewReader(`{"input": "a"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", c.contentType)
		if c.encoding != "" {
			request.Header.Set("Content-Encoding", c.encoding)
		}
		got := r.do(request)
		if got.status != c.status {
			t.Errorf("content type %q, encoding %q: got %d %s, want %d", c.contentType, c.encoding, got.status, got.body, c.status)
		}
		if c.status == 415 {
			wantError(t, got, 415, "unsupported_media_type", "want ")
		}
	}
}

func TestLoneSurrogate(t *testing.T) {
	for text, want := range map[string]int{
		`"plain \\ud800 \n \u00e9"`: -1, `"\ud83d\ude00"`: -1, `"\uD83D\uDE00x"`: -1, `"\\\ud800"`: 3,
		`"\ude00"`: 1, `"ab\ud83d"`: 3, `"\ud83dx"`: 1, `"\ud83d\ud83d\ude00"`: 1, `"\ud83d\\ude00"`: 1, `"\ud83d\ude00\ude00"`: 13,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

// FuzzInput holds the reading of a body against encoding/json alone: what is accepted must be the same texts, without
// a character replaced; what is refused must have a message and a status of the client's.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{`{"input":"a"}`, `{"input":["a","\u00e9"]}`, `{"x":{"input":1},"input":"\ud83d\ude00"}`, `{"input":"\ud800"}`, `null`, `[`, "{\"input\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		input, err := findInput(body)
		var texts []string
		if err == nil {
			texts, err = parseTexts(input, 8)
		}
		if err != nil {
			var f *failure
			if !errors.As(err, &f) || f.message == "" || f.status < 400 || f.status > 499 {
				t.Fatalf("%q: error %#v, want a failure of the client", body, err)
			}
			return
		}
		var want map[string]any
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q was accepted: %v", body, err)
		}
		list, ok := want["input"].([]any)
		if !ok {
			list = []any{want["input"]}
		}
		for i, text := range texts {
			if text != list[i] || !utf8.ValidString(text) {
				t.Fatalf("%q: text %d is %q, want %q", body, i, text, list[i])
			}
		}
	})
}
