package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// linesOf reads b through a buffer so small that most lines come in fragments.
func linesOf(path string, b []byte) *lines {
	return &lines{path: path, r: bufio.NewReaderSize(bytes.NewReader(b), 16), wrap: func(err error) error { return err }}
}

// FuzzCSV holds the CSV parser against encoding/csv on what that takes.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{plainCSV, "a,\"b\n\nc\",\"\"\n", "\"a\"b,c\nd\n", "\"open\n", "a\"b,c\"\n\n,\n", "\r\n\"\r\n\"\r\n", "x\x00,"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &csvRows{lines: linesOf("a.csv", b)}
		var rows [][]string
		clean := true
		for {
			fields, line, err := c.row()
			if err == io.EOF {
				break
			}
			if _, bad := asBadRow(err); err != nil && !bad {
				return
			}
			if err != nil {
				clean = false
				continue
			}
			if line < 1 || line > int64(bytes.Count(b, []byte("\n")))+1 {
				t.Fatalf("row in line %d", line)
			}
			var row []string
			for _, field := range fields {
				row = append(row, string(field))
			}
			rows = append(rows, row)
		}
		if bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\r")) {
			return // encoding/csv drops a carriage return at the end
		}
		r := csv.NewReader(bytes.NewReader(b))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		if !clean || !slices.EqualFunc(rows, want, slices.Equal) {
			t.Fatalf("rows %q, encoding/csv has %q", rows, want)
		}
	})
}

// FuzzJSONL holds that every line is a row, a bad row or blank, and that every text is UTF-8.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{`{"text":"a","label":1}`, `{"text":"\ud800","label":"x"}`, "{}\n\n[1]\nnull\n", `{"text":"a","label":["b",2,true,null]}`,
		"{\"text\":\"\xff\"}", `{"text":null,"label":1e400}`, `[{}]`} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, several bool) {
		cols := &columns{text: []string{"text"}, label: "label"}
		if several {
			cols.separator = []byte(",")
		}
		j := &jsonlReader{streamReader: streamReader{stream: &stream{path: "a.jsonl"}, lines: linesOf("a.jsonl", b)}, cols: cols}
		var doc document
		rows := int64(0)
		for {
			err := j.next(&doc)
			if err == io.EOF {
				break
			}
			if _, bad := asBadRow(err); err != nil && !bad {
				return
			}
			rows++
			if err == nil && !utf8.Valid(doc.text) {
				t.Fatalf("text %q is not UTF-8", doc.text)
			}
			if err == nil && !several && len(doc.labels) != 1 {
				t.Fatalf("labels %q, want one", doc.labels)
			}
		}
		lines := int64(bytes.Count(b, []byte("\n")))
		if len(b) > 0 && b[len(b)-1] != '\n' {
			lines++
		}
		if rows+j.blank != lines {
			t.Fatalf("%d rows and %d blank lines of %d", rows, j.blank, lines)
		}
	})
}

// FuzzShard holds that the parsers of the binary files take only what the writers write.
func FuzzShard(f *testing.F) {
	shard := append(append(shardHead(uint16Tokens, 2), make([]byte, shardHeader-12)...), 0, 1, 2, 3)
	f.Add(shard, 1, int64(1))
	f.Add(encodeDocuments([]documentEntry{{0, 0, 1}, {3, 0, 2}}, 5), 2, int64(5))
	f.Add(tableHead(documentMagic, documentWidth, 1<<60, 5), 1<<60, int64(5)) // 16 times this overflows
	f.Add(encodeLabels([]int32{0, 2, 1}, 3), 3, int64(3))
	f.Add(encodeSets([]byte{1, 0, 255, 1}, 9), 2, int64(9))
	f.Fuzz(func(t *testing.T, b []byte, count int, extent int64) {
		kind, tokens, err := parseShardHead("s.bin", b[:min(len(b), shardHeader)], int64(len(b)))
		if err == nil && int64(len(b)) != shardHeader+tokens*kind.bytes() {
			t.Fatalf("%d tokens in %d bytes", tokens, len(b))
		}
		if count < 0 || extent < 1 || extent > maxLabels {
			return // parseManifest lets no such number through
		}
		classes := int(extent)
		var again []byte
		if entries, err := parseDocuments("d.bin", b, count, extent); err == nil {
			again = encodeDocuments(entries, extent)
		} else if labels, err := parseLabels("l.bin", b, count, classes); err == nil {
			again = encodeLabels(labels, classes)
		} else if sets, err := parseSets("m.bin", b, count, classes); err == nil {
			again = encodeSets(sets, classes)
		} else {
			return
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("% x was read as % x", b, again)
		}
	})
}

const smallManifest = `{"format": "atoll dataset", "version": 1, "task": "classify", "labels": ["a", "b"],
"tokenizer": {"vocabulary_size": 257, "end_of_text": 256}, "token_type": "uint16", "splits": {
"train": {"documents": 1, "tokens": 3, "shards": ["t.bin"], "document_table": "d.bin", "label_table": "l.bin"},
"valid": {"shards": [], "document_table": "d.bin", "label_table": "l.bin"},
"test": {"shards": [], "document_table": "d.bin", "label_table": "l.bin"}},
"files": {"t.bin": {"bytes": 1030}, "d.bin": {"bytes": 48}, "l.bin": {"bytes": 36}}}`

// FuzzDataset holds that what is taken as dataset.json stays the same through encode.
func FuzzDataset(f *testing.F) {
	for _, s := range []string{smallManifest, "{}", strings.Replace(smallManifest, `"train"`, `"x"`, 1), strings.Replace(smallManifest, "1", "-1", 9)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest("dataset.json", b)
		if err != nil {
			return
		}
		encoded, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseManifest("dataset.json", encoded)
		if err != nil || again.identity() != m.identity() {
			t.Fatalf("read again: %v\n%s", err, encoded)
		}
	})
}

// TestSmallManifest holds that the seed of FuzzDataset is one that is taken.
func TestSmallManifest(t *testing.T) {
	if _, err := parseManifest("dataset.json", []byte(smallManifest)); err != nil {
		t.Error(err)
	}
}
