package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

// jsonlReader reads one JSON object a line. Text fields are strings; a label is a string, number or boolean, and for
// several labels an array of those, or a string cut at the separator.
type jsonlReader struct {
	streamReader
	cols   *columns
	buf    []byte
	joined []byte
}

func (j *jsonlReader) next(doc *document) error {
	if j.cols.byNumber {
		return fmt.Errorf("%s: columns are given as numbers, but the fields of JSON have names: name them with --text and --label",
			j.stream.path)
	}
	if err := j.readLine(); err != nil {
		return err
	}
	line := j.number
	if j.invalid.line != 0 {
		return invalidUTF8(j.stream.path, line, j.invalid)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(j.buf, &object); err != nil || object == nil {
		return j.badJSON(line, err)
	}
	doc.line, doc.more, doc.labels = line, false, doc.labels[:0]
	if bad := j.readText(doc, object); bad != nil {
		return bad
	}
	if j.cols.label == "" {
		return nil
	}
	if bad := j.readLabel(doc, object); bad != nil {
		return bad
	}
	return nil
}

// readLine reads the next line that is not blank.
func (j *jsonlReader) readLine() error {
	j.clearInvalid()
	for {
		var err error
		j.buf, err = j.line(j.buf[:0])
		if err == errTooLong {
			return tooLong(j.stream.path, j.number)
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(j.buf)) > 0 {
			return nil
		}
		j.blank++
	}
}

func (j *jsonlReader) badJSON(line int64, err error) error {
	found := "null, want an object"
	var other *json.UnmarshalTypeError
	switch {
	case errors.As(err, &other):
		found = other.Value + ", want an object"
	case err != nil:
		found = strings.TrimPrefix(err.Error(), "json: ")
	}
	if first := bytes.TrimSpace(j.buf); line == 1 && first[0] == '[' {
		return fmt.Errorf("%s:1: begins with [, want one object a line: convert it with jq -c '.[]'", j.stream.path)
	}
	return &BadRow{j.stream.path, line, BadJSON, fmt.Sprintf("not a JSON object (%s): write one object a line", found)}
}

func (j *jsonlReader) field(object map[string]json.RawMessage, name string, line int64) (json.RawMessage, *BadRow) {
	if raw, ok := object[name]; ok {
		return raw, nil
	}
	names := make([]string, 0, len(object))
	for other := range object {
		names = append(names, fmt.Sprintf("%.40q", other))
	}
	sort.Strings(names)
	if len(names) > 12 {
		names = append(names[:12], "...")
	}
	return nil, &BadRow{j.stream.path, line, MissingField, fmt.Sprintf("no field %q among %s: add it, or name another with "+
		"--text and --label", name, strings.Join(names, ", "))}
}

func (j *jsonlReader) readText(doc *document, object map[string]json.RawMessage) *BadRow {
	j.joined = j.joined[:0]
	for i, name := range j.cols.text {
		raw, bad := j.field(object, name, doc.line)
		if bad != nil {
			return bad
		}
		var s *string
		if err := json.Unmarshal(raw, &s); err != nil || s == nil {
			return &BadRow{j.stream.path, doc.line, WrongType, fmt.Sprintf("field %q is %.40s, want a string", name, raw)}
		}
		if loneSurrogate(raw, *s) {
			return &BadRow{j.stream.path, doc.line, InvalidUTF8, fmt.Sprintf(
				"field %q has half a surrogate pair (\\ud800 to \\udfff alone), which is no character: remove it", name)}
		}
		if i > 0 {
			j.joined = append(j.joined, '\n')
		}
		j.joined = append(j.joined, *s...)
	}
	doc.text = j.joined
	return nil
}

// loneSurrogate tells whether decoding raw replaced an escape by U+FFFD, which encoding/json does without an error.
func loneSurrogate(raw json.RawMessage, decoded string) bool {
	replaced := strings.Count(decoded, "\ufffd")
	if replaced == 0 {
		return false
	}
	written := bytes.Count(raw, []byte("\ufffd")) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
	return replaced > written
}

func (j *jsonlReader) readLabel(doc *document, object map[string]json.RawMessage) *BadRow {
	raw, bad := j.field(object, j.cols.label, doc.line)
	if bad != nil {
		return bad
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // 9007199254740993 stays itself
	var value any
	if err := decoder.Decode(&value); err != nil && err != io.EOF {
		return &BadRow{j.stream.path, doc.line, BadJSON, fmt.Sprintf("field %q: %v", j.cols.label, err)}
	}
	list, isList := value.([]any)
	if j.cols.separator == nil || !isList {
		s, ok := scalarLabel(value)
		if value == nil && j.cols.separator != nil {
			s, ok = "", true // null: none of the labels
		}
		if !ok {
			return j.wrongLabel(doc.line, raw)
		}
		return j.cols.splitLabels(doc, []byte(s), j.stream.path)
	}
	for _, item := range list {
		s, ok := scalarLabel(item)
		if !ok {
			return j.wrongLabel(doc.line, raw)
		}
		doc.labels = append(doc.labels, bytes.TrimSpace([]byte(s)))
	}
	return checkLabels(doc, j.stream.path)
}

func (j *jsonlReader) wrongLabel(line int64, raw []byte) *BadRow {
	want := "a string, a number or a boolean (an array of them needs task multilabel)"
	if j.cols.separator != nil {
		want = "a string, a number, a boolean or an array of them"
	}
	return &BadRow{j.stream.path, line, WrongType, fmt.Sprintf("field %q is %.40s, want %s", j.cols.label, raw, want)}
}

// scalarLabel is the label a JSON value spells.
func scalarLabel(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}
