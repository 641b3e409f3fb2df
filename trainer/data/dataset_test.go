package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShardBytes holds a shard against llm.c's layout written by hand.
func TestShardBytes(t *testing.T) {
	for _, c := range []struct {
		vocabulary, version, width int
	}{{257, 1, 2}, {1 << 16, 1, 2}, {1<<16 + 1, 2, 4}} {
		o := below(writeFiles(t, map[string]string{"a.tsv": "ab\nc\n"}), Options{Inputs: []string{"a.tsv"}, Text: []string{"0"}, Split: allTraining})
		if _, err := Prepare(context.Background(), o, byteTokenizer{c.vocabulary}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(o.Out, "train-00000.bin"))
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 1024)
		binary.LittleEndian.PutUint32(want, 20240520)
		binary.LittleEndian.PutUint32(want[4:], uint32(c.version))
		binary.LittleEndian.PutUint32(want[8:], 5)
		for _, token := range []uint32{256, 'a', 'b', 256, 'c'} {
			want = append(want, binary.LittleEndian.AppendUint32(nil, token)[:c.width]...)
		}
		if string(b) != string(want) {
			t.Errorf("vocabulary %d: shard is % x, want % x", c.vocabulary, b[1024:], want[1024:])
		}
		d := open(t, o.Out)
		wantStrings(t, "texts", texts(t, split(t, d, "train")), []string{"ab", "c"})
	}
}

// TestManyShards holds that documents run over the ends of shards.
func TestManyShards(t *testing.T) {
	lines := []string{"one", "a longer one", "x", "four"}
	o := below(writeFiles(t, map[string]string{"a.tsv": strings.Join(lines, "\n")}),
		Options{Inputs: []string{"a.tsv"}, Text: []string{"0"}, Split: allTraining, shardTokens: 7})
	d := prepare(t, o)
	s := split(t, d, "train")
	if n := len(s.Info().Shards); n != 4 {
		t.Errorf("%d shards, want 4 for 24 tokens", n)
	}
	wantStrings(t, "texts", texts(t, s), lines)
}

// damage is a way to spoil one file of a data directory, and what the error must say.
type damage struct {
	name, file string
	change     func([]byte) []byte
	parts      []string
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func put(at int, value byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = value; return b }
}

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return []byte(strings.Replace(string(b), old, new, 1)) }
}

func TestDamage(t *testing.T) {
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(60)}), with(byNumber, "a.tsv"))
	prepare(t, o)
	for _, c := range []damage{
		{"truncated shard", "train-00000.bin", cut(3), []string{"train-00000.bin", "bytes, want", "cut off"}},
		{"shard's magic", "train-00000.bin", put(0, 0xff), []string{"train-00000.bin", "magic number", "want 20240520"}},
		{"shard's version", "valid-00000.bin", put(4, 9), []string{"valid-00000.bin", "version 9"}},
		{"shard's count", "train-00000.bin", put(8, 0), []string{"train-00000.bin", "tokens in its header"}},
		{"shard's negative count", "train-00000.bin", put(11, 0xff), []string{"train-00000.bin", "-"}},
		{"token type", "train-00000.bin", put(4, 2), []string{"train-00000.bin", "uint32"}},
		{"truncated documents", "train-documents.bin", cut(1), []string{"train-documents.bin", "bytes, want"}},
		{"documents' magic", "train-documents.bin", put(0, 'X'), []string{"train-documents.bin", `"XTOLLDOC"`, `"ATOLLDOC"`}},
		{"documents' version", "train-documents.bin", put(8, 2), []string{"version 2 is unknown, want 1"}},
		{"documents' order", "train-documents.bin", put(32+16+7, 0x70), []string{"train-documents.bin", "document 1 begins"}},
		{"class out of range", "test-labels.bin", put(32, 3), []string{"test-labels.bin", "document 0 has class 3, want 0 to 2"}},
		{"labels' classes", "test-labels.bin", put(24, 4), []string{"test-labels.bin", "do not belong together"}},
		{"manifest version", manifestName, replace(`"version": 1`, `"version": 7`), []string{manifestName, "version 7 is unknown, want 1"}},
		{"manifest format", manifestName, replace("atoll dataset", "other"), []string{manifestName, `"other"`}},
		{"manifest cut", manifestName, cut(20), []string{manifestName, "not JSON"}},
		{"manifest type", manifestName, replace(`"seed": 0`, `"seed": "x"`), []string{manifestName, "seed"}},
		{"manifest escapes", manifestName, replace(`"files": {`, `"files": {"../x": {"bytes": 0, "sha256": ""},`), []string{`"../x"`, "plain name"}},
		{"manifest counts", manifestName, replace(`"documents": 48`, `"documents": 47`), []string{"train-documents.bin", "do not belong together"}},
		{"vocabulary", manifestName, replace(`"vocabulary_size": 257`, `"vocabulary_size": 99`), []string{"end-of-text token 256"}},
		{"missing tokenizer", "tokenizer.json", nil, []string{"tokenizer.json", "no such file"}},
		{"missing manifest", manifestName, nil, []string{manifestName, "atoll prepare"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyDir(t, o.Out)
			path := filepath.Join(dir, c.file)
			spoil(t, path, c.change)
			d, err := Open(dir)
			if err == nil {
				d.Close()
			}
			wantError(t, err, c.parts...)
		})
	}
}

// TestVerify holds that one changed token is found, and that a token outside the vocabulary is never given out.
func TestVerify(t *testing.T) {
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(60)}), with(byNumber, "a.tsv"))
	prepare(t, o)
	spoil(t, filepath.Join(o.Out, "train-00000.bin"), put(shardHeader+9, 0x11))
	d, err := Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wantError(t, d.Verify(), "train-00000.bin", "SHA-256")
	l, err := NewTokenLoader(split(t, d, "train"), LoaderOptions{B: 1, T: 64, InOrder: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = l.Next()
	wantError(t, err, "train-00000.bin", "token 4 is 4", "want 0 to 256")
	_, again := l.Next()
	if again == nil || again.Error() != err.Error() {
		t.Errorf("second call gave %v", again)
	}
}

func spoil(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	if change == nil {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := string(b)
	b = change(b)
	if string(b) == before {
		t.Fatal("the damage changed nothing")
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestOverwrite holds what may be replaced, and that what is replaced is replaced whole.
func TestOverwrite(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.tsv": labelledRows(30), "b.tsv": labelledRows(60), "precious/file": "x", "plain": "y"})
	o := below(dir, with(byNumber, "a.tsv"))
	prepare(t, o)
	_, err := Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "out exists", "--overwrite")
	second := below(dir, with(byNumber, "b.tsv"))
	second.Overwrite = true
	d := prepare(t, second)
	if n := split(t, d, "train").Documents(); n != 48 {
		t.Errorf("%d training documents, want the second import's 48", n)
	}
	for out, part := range map[string]string{"precious": "no data directory", "plain": "not a folder"} {
		second.Out = filepath.Join(dir, out)
		_, err := Prepare(context.Background(), second, byteTokenizer{})
		wantError(t, err, part)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// failingTokenizer cannot be saved, or gives tokens outside its vocabulary.
type failingTokenizer struct {
	byteTokenizer
	token int32
}

func (f failingTokenizer) Encode(dst []int32, text string) []int32 { return append(dst, f.token) }
func (f failingTokenizer) Save(string) error                       { return errors.New("disk is full") }

// silentTokenizer gives nothing for some texts.
type silentTokenizer struct{ byteTokenizer }

func (silentTokenizer) Encode(dst []int32, text string) []int32 { return dst }

// TestFailedWrite holds that an import that fails late leaves the old directory and nothing else.
func TestFailedWrite(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.tsv": labelledRows(30)})
	o := below(dir, with(byNumber, "a.tsv"))
	o.Overwrite = true
	prepare(t, o)
	_, err := Prepare(context.Background(), o, failingTokenizer{token: 1})
	wantError(t, err, "disk is full")
	_, err = Prepare(context.Background(), o, silentTokenizer{})
	wantError(t, err, "no token for document 0", "row 1")
	_, err = Prepare(context.Background(), o, failingTokenizer{token: 257})
	wantError(t, err, "a.tsv:", "token 257", "want 0 to 256")
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(p Progress) {
		if p.Phase == "tokenize" {
			cancel()
		}
	}
	_, err = Prepare(ctx, o, byteTokenizer{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled import gave %v", err)
	}
	open(t, o.Out)
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestUnwritableOutput(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.tsv": labelledRows(30), "plain": "y"})
	o := below(dir, with(byNumber, "a.tsv"))
	o.Out = filepath.Join(dir, "plain", "out")
	_, err := Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "plain/out", "choose another")
	if os.Getuid() == 0 {
		return // root may write to a read-only folder
	}
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	o.Out = filepath.Join(locked, "out")
	_, err = Prepare(context.Background(), o, byteTokenizer{})
	wantError(t, err, "locked/out", "permission denied", "may write to")
}

func TestProgress(t *testing.T) {
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(3000)}), with(byNumber, "a.tsv"))
	last := map[string]Progress{}
	o.Progress = func(p Progress) {
		if p.Bytes > p.Total || p.Bytes < last[p.Phase].Bytes {
			t.Errorf("progress went from %+v to %+v", last[p.Phase], p)
		}
		last[p.Phase] = p
	}
	prepare(t, o)
	size := int64(len(labelledRows(3000)))
	want := map[string]Progress{"check": {"check", size, size, 3000}, "tokenize": {"tokenize", size, size, 3000}}
	if fmt.Sprint(last) != fmt.Sprint(want) {
		t.Errorf("last progress %v, want %v", last, want)
	}
}
