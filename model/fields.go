package model

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// fields reads typed values out of a JSON object. The first failure is kept in err and the later ones are dropped, so
// that the caller reads all keys in a row and looks at err once.
type fields struct {
	keys map[string]json.RawMessage
	err  error
}

func (f *fields) fail(key, got, want, action string) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: got %s, want %s: %s", key, got, want, action)
	}
}

// null reports whether key is absent or null.
func (f *fields) null(key string) bool {
	raw, ok := f.keys[key]
	return !ok || bytes.Equal(raw, []byte("null"))
}

// read decodes key into value and reports whether it did; an absent key leaves value as it was.
func (f *fields) read(key, want string, value any) bool {
	raw, ok := f.keys[key]
	if !ok {
		return false
	}
	if f.null(key) && key != "architectures" {
		f.fail(key, "null", want, "give a value, or leave the key out")
		return false
	}
	if err := json.Unmarshal(raw, value); err != nil {
		f.fail(key, excerpt(raw), want, "correct the value")
		return false
	}
	return true
}

// size reads a whole number under the first of the names; the others are Transformers' aliases and must agree with it.
func (f *fields) size(otherwise int, names ...string) int {
	value, from := otherwise, ""
	for _, name := range names {
		var got int
		if !f.read(name, "a whole number", &got) {
			continue
		}
		if from != "" && got != value {
			f.fail(name, fmt.Sprint(got), fmt.Sprintf("%d as %s says", value, from), "keep one of the two keys")
		}
		value, from = got, name
	}
	return value
}

func (f *fields) number(key string, otherwise float32) float32 {
	f.read(key, "a number in float32's range", &otherwise)
	return otherwise
}

func (f *fields) text(key, otherwise string) string {
	f.read(key, "a string", &otherwise)
	return otherwise
}

func (f *fields) boolean(key string, otherwise bool) bool {
	f.read(key, "true or false", &otherwise)
	return otherwise
}

// token reads a token id, which may be null, or a list of which the first counts. GPT-2's own default, written out by
// Transformers beside any smaller vocabulary, and negative ids mean that there is no such token.
func (f *fields) token(key string, otherwise, vocab int) int {
	id := otherwise
	if _, given := f.keys[key]; given {
		if f.null(key) {
			return NoToken
		}
		var list []int
		if json.Unmarshal(f.keys[key], &list) == nil && len(list) > 0 {
			id = list[0]
		} else {
			f.read(key, "a token id, a list of them, or null", &id)
		}
	}
	if id < 0 || id == small().EndOfText && id >= vocab {
		return NoToken
	}
	return id
}

// excerpt shortens a raw value for an error message.
func excerpt(raw []byte) string {
	const longest = 60
	if len(raw) <= longest {
		return string(raw)
	}
	return string(bytes.ToValidUTF8(raw[:longest], nil)) + "..."
}
