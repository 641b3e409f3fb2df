package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"
)

// readTexts reads and checks the body of a request: {"input": "text" | ["text", ...]}. Fields it does not know are passed over.
func (s *Server) readTexts(w http.ResponseWriter, r *http.Request) ([]string, error) {
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	input, err := findInput(body)
	if err != nil {
		return nil, err
	}
	texts, err := parseTexts(input, s.limits.Texts)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if strings.TrimSpace(text) == "" {
			return nil, fail(http.StatusBadRequest, "empty_input", "text %d (from 0) is empty or only space: want some text", i)
		}
	}
	return texts, nil
}

func checkMediaType(h http.Header) error {
	const want = "want application/json in UTF-8: send the header Content-Type: application/json"
	got := h.Get("Content-Type")
	media, parameters, err := mime.ParseMediaType(got)
	if err != nil || media != "application/json" {
		return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "content type %q, %s", got, want)
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "character set %q, %s", charset, want)
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "content encoding %q, want none: send the body uncompressed", encoding)
	}
	return nil
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.limits.BodyBytes)))
	var tooLarge *http.MaxBytesError
	var slow net.Error
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, fail(http.StatusRequestEntityTooLarge, "body_too_large", "the body is larger than %d bytes: send fewer or shorter texts", s.limits.BodyBytes)
	case errors.As(err, &slow) && slow.Timeout():
		w.Header().Set("Connection", "close")
		return nil, fail(http.StatusRequestTimeout, "request_timeout", "the body did not arrive within %v: send it faster", s.limits.Read)
	case r.Context().Err() != nil, errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errClientGone
	}
	return nil, fail(http.StatusBadRequest, "unreadable_body", "the body cannot be read: %v", err)
}

// findInput checks that body is one JSON object in UTF-8 and gives the value of its member "input".
func findInput(body []byte) (json.RawMessage, error) {
	if at := invalidUTF8(body); at >= 0 {
		return nil, fail(http.StatusBadRequest, "invalid_utf8", "byte %d (from 0) of the body is 0x%02x, which is not UTF-8 there: encode the body in UTF-8", at, body[at])
	}
	if err := json.Unmarshal(body, &struct{}{}); err != nil {
		return nil, badJSON(body, err)
	}
	if at := loneSurrogate(body); at >= 0 {
		return nil, fail(http.StatusBadRequest, "invalid_utf8", "the escape %s at byte %d (from 0) of the body is half a character: want both surrogates, or neither", body[at:at+6], at)
	}
	decoder := json.NewDecoder(bytes.NewReader(body)) // cannot fail from here on: the syntax has been checked
	if open, _ := decoder.Token(); open != json.Delim('{') {
		return nil, fail(http.StatusBadRequest, "bad_json", `the body is null, want {"input": "text"} or {"input": ["text", ...]}`)
	}
	var input json.RawMessage
	for decoder.More() {
		key, _ := decoder.Token()
		var value json.RawMessage
		_ = decoder.Decode(&value)
		if key != "input" {
			continue
		}
		if input != nil {
			return nil, fail(http.StatusBadRequest, "bad_request", `the body has "input" twice, want it once`)
		}
		input = value
	}
	if input == nil {
		return nil, fail(http.StatusBadRequest, "missing_input", `the body has no "input": want {"input": "text"} or {"input": ["text", ...]}`)
	}
	return input, nil
}

// badJSON says where JSON goes wrong.
func badJSON(body []byte, err error) *failure {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return fail(http.StatusBadRequest, "bad_json", `the body is empty, want {"input": "text"} or {"input": ["text", ...]}`)
	case errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		return fail(http.StatusBadRequest, "bad_json", "the body is not JSON: it ends at byte %d, inside a value: send it whole", len(body))
	case errors.As(err, &syntax):
		return fail(http.StatusBadRequest, "bad_json", "the body is not JSON at byte %d (from 0): %v: correct it there", syntax.Offset-1, syntax)
	case errors.As(err, &kind):
		return fail(http.StatusBadRequest, "bad_json", `the body is a JSON %s, want an object: {"input": "text"} or {"input": ["text", ...]}`, kind.Value)
	}
	return fail(http.StatusBadRequest, "bad_json", "the body is not JSON: %v", err)
}

// parseTexts reads a string or an array of 1 to most strings, which is known to be JSON.
func parseTexts(input json.RawMessage, most int) ([]string, error) {
	if input[0] != '[' {
		text, err := parseText(input, `"input"`)
		return []string{text}, err
	}
	var texts []string
	decoder := json.NewDecoder(bytes.NewReader(input))
	_, _ = decoder.Token()
	for decoder.More() {
		if len(texts) == most {
			return nil, fail(http.StatusRequestEntityTooLarge, "too_many_texts", `"input" has more than %d texts: send them in several requests`, most)
		}
		var element json.RawMessage
		_ = decoder.Decode(&element)
		text, err := parseText(element, fmt.Sprintf("text %d (from 0)", len(texts)))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, fail(http.StatusBadRequest, "empty_input", `"input" is an empty array: want at least one text`)
	}
	return texts, nil
}

func parseText(value json.RawMessage, what string) (string, error) {
	kinds := map[byte]string{'{': "an object", '[': "an array", 't': "true", 'f': "false", 'n': "null"}
	if value[0] != '"' {
		kind, ok := kinds[value[0]]
		if !ok {
			kind = "a number"
		}
		return "", fail(http.StatusBadRequest, "bad_request", `%s is %s, want a string: {"input": "text"} or {"input": ["text", ...]}`, what, kind)
	}
	var text string
	err := json.Unmarshal(value, &text)
	return text, err
}

// invalidUTF8 gives the place of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// loneSurrogate gives the place of the first \u escape in JSON that is half of a surrogate pair without the other, or -1.
// Such a string has no UTF-8; encoding/json would put U+FFFD in its place without a word.
func loneSurrogate(text []byte) int {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		switch u := escaped(text[at:]); {
		case u < 0:
			at++ // past the escaped character, which may be a backslash
		case u >= 0xdc00 && u < 0xe000:
			return at
		case u >= 0xd800 && u < 0xdc00:
			if low := escaped(text[at+6:]); low < 0xdc00 || low >= 0xe000 {
				return at
			}
			at += 11
		default:
			at += 5
		}
	}
	return -1
}

// escaped gives the number of the \uXXXX that text begins with, or -1.
func escaped(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	u := 0
	for _, c := range text[2:6] {
		u <<= 4
		switch {
		case c >= '0' && c <= '9':
			u += int(c - '0')
		default:
			u += int(c|0x20-'a') + 10
		}
	}
	return u
}
