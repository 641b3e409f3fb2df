package data

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

var byNumber = Options{Task: Classify, Text: []string{"0"}, Label: "1"}

// with gives o other inputs.
func with(o Options, inputs ...string) Options {
	o.Inputs = inputs
	return o
}

// TestBadRows runs each bad row under both policies: fail names the row, skip counts it and keeps the others.
func TestBadRows(t *testing.T) {
	for _, c := range []struct {
		name, file, content string
		o                   Options
		reason              Reason
		parts               []string // of the error under the policy fail
		kept                []string // texts under the policy skip
	}{
		{"ragged csv", "a.csv", "text,label\nx,a\ny,a,b\nz,b\n", Options{Task: Classify}, RaggedRow,
			[]string{"a.csv:3:", "3 columns, want 2", "quote", "--on-bad-row skip"}, []string{"x", "z"}},
		{"ragged tsv", "a.tsv", "x\ta\ny\nz\tb\n", byNumber, RaggedRow, []string{"a.tsv:2:", "1 columns, want 2"}, []string{"x", "z"}},
		{"invalid utf-8", "a.tsv", "x\ta\ny\xe4\ta\nz\tb\n", byNumber, InvalidUTF8,
			[]string{"a.tsv:2:", "line 2, byte 2", "iconv"}, []string{"x", "z"}},
		{"invalid utf-8 in a quoted line", "a.csv", "x,a\n\"y\n12\xff\",a\nz,b\n", byNumber, InvalidUTF8,
			[]string{"a.csv:2:", "line 3, byte 3"}, []string{"x", "z"}},
		{"lone surrogate in utf-16", "a.tsv", "\xff\xfex\x00\t\x00a\x00\n\x00\x00\xd8\t\x00a\x00\n\x00z\x00\t\x00b\x00", byNumber,
			InvalidUTF8, []string{"a.tsv:2:", "byte 1"}, []string{"x", "z"}},
		{"odd last byte in utf-16", "a.tsv", "\xff\xfex\x00\t\x00a\x00\n\x00z\x00\t\x00b\x00\n\x00y\x00\t\x00b\x00b", byNumber,
			InvalidUTF8, []string{"a.tsv:3:", "byte 4"}, []string{"x", "z"}},
		{"empty text", "a.csv", "text,label\nx,a\n,a\nz,b\n", Options{Task: Classify}, EmptyText, []string{"a.csv:3:", "empty"}, []string{"x", "z"}},
		{"white space", "a.csv", "text,label\nx,a\n\" \n\u3000\t\",a\nz,b\n", Options{Task: Classify}, EmptyText,
			[]string{"a.csv:3:", "white space"}, []string{"x", "z"}},
		{"empty label", "a.tsv", "x\ta\ny\t \nz\tb\n", byNumber, EmptyLabel, []string{"a.tsv:2:", "label is empty"}, []string{"x", "z"}},
		{"empty label of several", "a.tsv", "x\ta\ny\ta,,b\nz\tb\n", Options{Task: MultiLabel, Text: []string{"0"}, Label: "1"}, EmptyLabel,
			[]string{"a.tsv:2:", "label is empty"}, []string{"x", "z"}},
		{"unknown label", "a.tsv", "x\ta\ny\tc\nz\tb\n", Options{Task: Classify, Text: []string{"0"}, Label: "1", Labels: []string{"b", "a"}},
			UnknownLabel, []string{"a.tsv:2:", `"c"`, "2 classes"}, []string{"x", "z"}},
		{"text behind a quote", "a.csv", "x,a\n\"y\"y,a\nz,b\n", byNumber, BadQuoting, []string{"a.csv:2:", "byte 4", "two quotes"}, []string{"x", "z"}},
		{"not json", "a.jsonl", "{\"text\":\"x\",\"label\":\"a\"}\n{\"text\":\n{\"text\":\"z\",\"label\":\"b\"}\n", Options{Task: Classify},
			BadJSON, []string{"a.jsonl:2:", "not a JSON object"}, []string{"x", "z"}},
		{"json without the field", "a.jsonl", "{\"text\":\"x\",\"label\":\"a\"}\n{\"body\":\"y\"}\n{\"text\":\"z\",\"label\":\"b\"}\n",
			Options{Task: Classify}, MissingField, []string{"a.jsonl:2:", `no field "text"`, `"body"`}, []string{"x", "z"}},
		{"json text of another type", "a.jsonl", "{\"text\":\"x\",\"label\":\"a\"}\n{\"text\":3,\"label\":\"a\"}\n{\"text\":\"z\",\"label\":\"b\"}\n",
			Options{Task: Classify}, WrongType, []string{"a.jsonl:2:", "is 3, want a string"}, []string{"x", "z"}},
		{"json list for one label", "a.jsonl", "{\"text\":\"x\",\"label\":\"a\"}\n{\"text\":\"y\",\"label\":[\"a\"]}\n{\"text\":\"z\",\"label\":\"b\"}\n",
			Options{Task: Classify}, WrongType, []string{"a.jsonl:2:", "multilabel"}, []string{"x", "z"}},
		{"json with half a pair", "a.jsonl", "{\"text\":\"x\"}\n{\"text\":\"\\ud834 \"}\n{\"text\":\"z\"}\n", Options{}, InvalidUTF8,
			[]string{"a.jsonl:2:", "surrogate"}, []string{"x", "z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.Split = allTraining
			o := below(writeFiles(t, map[string]string{c.file: c.content}), with(c.o, c.file))
			_, err := Prepare(context.Background(), o, byteTokenizer{})
			wantError(t, err, c.parts...)
			wantNothing(t, o.Out)
			o.OnBadRow = Skip
			d := prepare(t, o)
			wantStrings(t, "texts", texts(t, split(t, d, "train")), c.kept)
			bad := d.Manifest.BadRows
			if bad.Rows != 1 || bad.Counts[c.reason] != 1 || len(bad.Examples) != 1 {
				t.Errorf("bad rows %+v, want one for %s", bad, c.reason)
			}
		})
	}
}

// TestRefused has the inputs that no policy lets pass.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		o     Options
		parts []string
	}{
		{"no input", nil, Options{}, []string{"no input"}},
		{"missing file", nil, with(Options{}, "none.csv"), []string{"none.csv", "no such file", "check the path"}},
		{"empty file", map[string]string{"a.txt": ""}, with(Options{}, "a.txt"), []string{"a.txt", "empty"}},
		{"header only", map[string]string{"a.csv": "text,label\n"}, with(Options{Task: Classify}, "a.csv"), []string{"a.csv", "no rows"}},
		{"white space only", map[string]string{"a.txt": " \n\t\n"}, with(Options{}, "a.txt"), []string{"a.txt", "white space"}},
		{"binary file", map[string]string{"a.csv": "text,label\nx\x00y,a\n"}, with(Options{Task: Classify}, "a.csv"),
			[]string{"a.csv:2:2:", "NUL", "binary"}},
		{"binary text", map[string]string{"a.txt": "\x7fELF\x02\x01\x00"}, with(Options{}, "a.txt"), []string{"a.txt:1:7:", "binary"}},
		{"utf-16 without a mark", map[string]string{"a.txt": "h\x00i\x00"}, with(Options{}, "a.txt"), []string{"a.txt:1:2", "UTF-16"}},
		{"cut gzip", map[string]string{"a.txt.gz": gzipped(strings.Repeat("text", 99))[:20]}, with(Options{}, "a.txt.gz"), []string{"a.txt.gz", "cut off"}},
		{"gzip by name only", map[string]string{"a.txt.gz": "plain"}, with(Options{}, "a.txt.gz"), []string{"a.txt.gz", "70 6c 61 69"}},
		{"not parquet", map[string]string{"a.parquet": "PAR1 not"}, with(Options{}, "a.parquet"), []string{"a.parquet", "Parquet"}},
		{"missing column", map[string]string{"a.csv": "body,class\nx,a\n"}, with(Options{Task: Classify}, "a.csv"),
			[]string{"a.csv:1:", `no column "text"`, `"body", "class"`, "--text"}},
		{"column twice", map[string]string{"a.csv": "text,text\nx,a\n"}, with(Options{}, "a.csv"), []string{"two columns", `"text"`}},
		{"column number too high", map[string]string{"a.csv": "x,a\n"}, with(Options{Task: Classify, Text: []string{"0"}, Label: "2"}, "a.csv"),
			[]string{"a.csv:1:", "no column 2", "has 2"}},
		{"names and numbers", map[string]string{"a.csv": "x,a\n"}, with(Options{Task: Classify, Text: []string{"0"}, Label: "label"}, "a.csv"),
			[]string{"0,label", "no header"}},
		{"open quotes", map[string]string{"a.csv": "x,a\n\"y,a\nz,b\n"}, with(byNumber, "a.csv"), []string{"a.csv:2:", "do not close", "line 3"}},
		{"json array", map[string]string{"a.json": "[{\"text\":\"x\"}]"}, with(Options{}, "a.json"), []string{"one object a line", "jq"}},
		{"one class", map[string]string{"a.tsv": "x\ta\ny\ta\n"}, with(byNumber, "a.tsv"), []string{"a.tsv", `label "a"`, "two classes"}},
		{"no label anywhere", map[string]string{"a.tsv": "x\t\ny\t\n"}, with(Options{Task: MultiLabel, Text: []string{"0"}, Label: "1"}, "a.tsv"),
			[]string{"no training row has a label"}},
		{"text for a labelled task", map[string]string{"a.txt": "x\n"}, with(Options{Task: Classify, Format: Text}, "a.txt"), []string{"no label", "sub-folder"}},
		{"empty folder", map[string]string{"d/.x": ""}, with(Options{}, "d"), []string{"holds no files"}},
		{"text beside the labels' folders", map[string]string{"d/a/1": "x", "d/b/1": "y", "d/README": "z"}, with(Options{Task: Classify}, "d"),
			[]string{"README", "sub-folder"}},
		{"unknown task", nil, with(Options{Task: "regress"}, "a"), []string{`"regress"`, "classify"}},
		{"unknown format", nil, with(Options{Format: "xml"}, "a"), []string{`"xml"`, "jsonl"}},
		{"unknown policy", nil, with(Options{OnBadRow: "drop"}, "a"), []string{`"drop"`, "skip"}},
		{"label for lm", nil, with(Options{Label: "x"}, "a"), []string{"lm", "classify"}},
		{"class twice", nil, with(Options{Task: Classify, Labels: []string{"a", "a"}}, "a"), []string{`"a"`, "twice"}},
		{"bad split", nil, with(Options{Split: SplitRule{Fractions: [3]float64{.5, .1, .1}}}, "a"), []string{"0.5,0.1,0.1", "sum to 0.7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.Overwrite = true
			o := below(writeFiles(t, c.files), c.o)
			_, err := Prepare(context.Background(), o, byteTokenizer{})
			wantError(t, err, c.parts...)
			wantNothing(t, o.Out)
		})
	}
}

// TestUntrainedLabel is the label that only the test split has.
func TestUntrainedLabel(t *testing.T) {
	files := map[string]string{"a.tsv": "x\ta\ny\tb\n", "test.tsv": "v\ta\nw\tc\n"}
	o := with(byNumber, "a.tsv")
	o.Test, o.Split = []string{"test.tsv"}, allTraining
	o = below(writeFiles(t, files), o)
	_, err := Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "test.tsv:2:", `label "c"`, "test split", "no row in the training split")
	wantNothing(t, o.Out)
	o.OnBadRow = Skip
	d := prepare(t, o)
	wantStrings(t, "test texts", texts(t, split(t, d, "test")), []string{"v"})
	wantStrings(t, "labels", d.Manifest.Labels, []string{"a", "b"})
	if d.Manifest.BadRows.Counts[UntrainedText] != 1 {
		t.Errorf("bad rows %+v", d.Manifest.BadRows)
	}
}

// TestManyBadRows holds that the error counts all and the summary keeps few.
func TestManyBadRows(t *testing.T) {
	content := "x\ta\nz\tb\n" + strings.Repeat("\ta\n", 20) + strings.Repeat("y\n", 7)
	o := with(byNumber, "a.tsv")
	o.Split = allTraining
	o = below(writeFiles(t, map[string]string{"a.tsv": content}), o)
	_, err := Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "a.tsv:3:", "27 bad rows (20 empty text, 7 wrong number of columns)")
	var rows *BadRowsError
	if !errors.As(err, &rows) || len(rows.Rows.Examples) != 2*badRowExamples {
		t.Errorf("error %#v, want %d examples", err, 2*badRowExamples)
	}
	o.OnBadRow = Skip
	if d := prepare(t, o); d.Manifest.BadRows.Rows != 27 {
		t.Errorf("%d bad rows, want 27", d.Manifest.BadRows.Rows)
	}
}

// TestBinaryInFolder holds that a stray binary file is a bad row of a folder, not the end of the import.
func TestBinaryInFolder(t *testing.T) {
	files := map[string]string{"d/1.txt": "one", "d/2.bin": "a\x00b", "d/3.txt": "three", "d/4.txt": ""}
	o := below(writeFiles(t, files), Options{Inputs: []string{"d"}, Split: allTraining})
	_, err := Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "2.bin", "NUL", "2 bad rows")
	o.OnBadRow = Skip
	d := prepare(t, o)
	wantStrings(t, "texts", texts(t, split(t, d, "train")), []string{"one", "three"})
}

// longLine writes a gzip file with before, n million letters and after, each million a member of its own.
func longLine(t *testing.T, name, before string, n int, after string) string {
	t.Helper()
	million := gzipped(strings.Repeat("x", 1_000_000))
	return writeFiles(t, map[string]string{name: gzipped(before) + strings.Repeat(million, n) + gzipped(after)})
}

// countingTokenizer gives one token a piece.
type countingTokenizer struct{ byteTokenizer }

func (countingTokenizer) Encode(dst []int32, text string) []int32 {
	return append(dst, int32(len(text)%256))
}

// TestLongLine holds that a line of 100 MB is refused as a table's row and read as a plain text, in bounded memory.
func TestLongLine(t *testing.T) {
	if testing.Short() {
		t.Skip("300 MB")
	}
	const millions = 100
	for _, c := range []struct {
		name, file, before, after string
		o                         Options
		parts                     []string
	}{
		{"tsv", "a.tsv.gz", "u\ta\n", "\ta\nz\tb\n", byNumber, []string{"a.tsv.gz:2:", "longer than 64 MiB"}},
		{"open quotes", "a.csv.gz", "u,a\n\"", "\ta\nz\tb\n", byNumber, []string{"a.csv.gz:2:", "64 MiB"}},
		{"text", "a.txt.gz", "", "", Options{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Split = allTraining
			o := below(longLine(t, c.file, c.before, millions, c.after), with(c.o, c.file))
			peak := watchHeap(t)
			m, err := Prepare(context.Background(), o, countingTokenizer{})
			if grown := peak(); grown > 400<<20 {
				t.Errorf("heap grew by %d MiB, want at most 400", grown>>20)
			}
			if c.parts != nil {
				wantError(t, err, c.parts...)
				wantNothing(t, o.Out)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Splits["train"].Bytes; got != millions*1_000_000 {
				t.Errorf("%d bytes, want %d millions", got, millions)
			}
		})
	}
}

// watchHeap gives a function that says how far the heap grew at most, in bytes; the import's own buffers are large, so
// that looking now and then is enough.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapAlloc, stats.HeapAlloc
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.ReadMemStats(&stats)
				most = max(most, stats.HeapAlloc)
				time.Sleep(3 * time.Millisecond)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return most - before
	}
}
