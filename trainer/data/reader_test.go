package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func zstandard(s string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(s), nil))
}

func utf16Text(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

const plainCSV = "label,id,text\nham,1,hello\nspam,2,\"win, \"\"now\"\"\nor never\"\nham,3,héllo 𝄞\n"

// allTraining puts every row into training, in order.
var allTraining = SplitRule{Fractions: [3]float64{1, 0, 0}}

func TestReaders(t *testing.T) {
	spoken := []string{"hello", "win, \"now\"\nor never", "héllo 𝄞"}
	spam := []string{"ham", "spam", "ham"}
	for _, c := range []struct {
		name, file, content string
		o                   Options
		texts, labels       []string
	}{
		{"csv", "a.csv", plainCSV, Options{Task: Classify}, spoken, spam},
		{"crlf", "a.csv", strings.ReplaceAll(plainCSV, "\n", "\r\n"), Options{Task: Classify}, spoken, spam},
		{"no last line end", "a.csv", strings.TrimSuffix(plainCSV, "\n"), Options{Task: Classify}, spoken, spam},
		{"byte order mark", "a.csv", "\ufeff" + plainCSV, Options{Task: Classify}, spoken, spam},
		{"utf-16 little", "a.csv", utf16Text(binary.LittleEndian, plainCSV), Options{Task: Classify}, spoken, spam},
		{"utf-16 big", "a.csv", utf16Text(binary.BigEndian, plainCSV), Options{Task: Classify}, spoken, spam},
		{"gzip", "a.csv.gz", gzipped(plainCSV), Options{Task: Classify}, spoken, spam},
		{"gzip in two members", "a.csv.gz", gzipped(plainCSV[:9]) + gzipped(plainCSV[9:]), Options{Task: Classify}, spoken, spam},
		{"gzip without its suffix", "a.csv", gzipped(plainCSV), Options{Task: Classify}, spoken, spam},
		{"zstd", "a.csv.zst", zstandard(plainCSV), Options{Task: Classify}, spoken, spam},
		{"numbers", "a.csv", "ham,x\nspam,y\n", Options{Task: Classify, Text: []string{"1"}, Label: "0"},
			[]string{"x", "y"}, []string{"ham", "spam"}},
		{"two text columns", "a.csv", "1,t,d\n2,u,\"e\"\n", Options{Task: Classify, Text: []string{"1", "2"}, Label: "0"},
			[]string{"t\nd", "u\ne"}, []string{"1", "2"}},
		{"quote inside a bare field", "a.csv", "a,5\" nail\nb,x\n", Options{Task: Classify, Text: []string{"1"}, Label: "0"},
			[]string{`5" nail`, "x"}, []string{"a", "b"}},
		{"tsv keeps quotes", "a.tsv", "ham\t\"so he said\nspam\ta,b\"\"c\"\n", Options{Task: Classify, Text: []string{"1"}, Label: "0"},
			[]string{`"so he said`, `a,b""c"`}, []string{"ham", "spam"}},
		{"txt with columns is tab-separated", "a.txt", "x\t0\ny\t1\n", Options{Task: Classify, Text: []string{"0"}, Label: "1"},
			[]string{"x", "y"}, []string{"0", "1"}},
		{"format by name wins", "a.data", plainCSV, Options{Task: Classify, Format: CSV}, spoken, spam},
		{"spaces around labels", "a.tsv", "x\t a\ny\tb \n", Options{Task: Classify, Text: []string{"0"}, Label: "1"},
			[]string{"x", "y"}, []string{"a", "b"}},
		{"several labels", "a.tsv", "x\t0, 2\ny\t\nz\t2,2\n", Options{Task: MultiLabel, Text: []string{"0"}, Label: "1"},
			[]string{"x", "y", "z"}, []string{"0+2", "", "2"}},
		{"own separator", "a.tsv", "x\ta|b\ny\tb\n", Options{Task: MultiLabel, Text: []string{"0"}, Label: "1", LabelSeparator: "|"},
			[]string{"x", "y"}, []string{"a+b", "b"}},
		{"jsonl", "a.jsonl", `{"text":"x\n\u00e9\ud834\udd1e","label":1}` + "\r\n\n" + `{"label":true,"text":"y \ufffd","more":[1]}`,
			Options{Task: Classify}, []string{"x\né𝄞", "y \ufffd"}, []string{"1", "true"}},
		{"jsonl with lists", "a.ndjson", `{"t":"x","l":["b","a"]}` + "\n" + `{"t":"y","l":"a,c"}` + "\n" + `{"t":"z","l":null}` + "\n",
			Options{Task: MultiLabel, Text: []string{"t"}, Label: "l"}, []string{"x", "y", "z"}, []string{"a+b", "a+c", ""}},
		{"plain text", "a.txt", "one\r\ntwo \n\n", Options{}, []string{"one\ntwo \n\n"}, []string{""}},
		{"csv without labels", "a.csv", plainCSV, Options{}, spoken, []string{"", "", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.Inputs, c.o.Split = []string{c.file}, allTraining
			d := prepare(t, below(writeFiles(t, map[string]string{c.file: c.content}), c.o))
			s := split(t, d, "train")
			wantStrings(t, "texts", texts(t, s), c.texts)
			wantStrings(t, "labels", labelsOf(s), c.labels)
			if n := d.Manifest.BadRows.Rows; n != 0 {
				t.Errorf("%d bad rows, want 0", n)
			}
		})
	}
}

func TestParquet(t *testing.T) {
	type row struct {
		Text   string   `parquet:"text,zstd"`
		Class  int64    `parquet:"class"`
		Name   *string  `parquet:"name,optional"`
		Tags   []string `parquet:"tags,list"`
		Ignore float64  `parquet:"ignore"`
	}
	name := "n"
	rows := []row{{"eins", 7, &name, []string{"a", "b"}, 1}, {"zwei", 11, nil, nil, 2}, {"drei", 7, &name, []string{"b,c"}, 3}}
	dir := t.TempDir()
	if err := parquet.WriteFile(filepath.Join(dir, "a.parquet"), rows); err != nil {
		t.Fatal(err)
	}
	base := Options{Inputs: []string{"a.parquet"}, Split: allTraining}
	t.Run("integers", func(t *testing.T) {
		o := base
		o.Task, o.Label = Classify, "class"
		d := prepare(t, below(dir, o))
		wantStrings(t, "texts", texts(t, split(t, d, "train")), []string{"eins", "zwei", "drei"})
		wantStrings(t, "labels", labelsOf(split(t, d, "train")), []string{"7", "11", "7"})
	})
	t.Run("lists", func(t *testing.T) {
		o := base
		o.Task, o.Label, o.Overwrite = MultiLabel, "tags", true
		d := prepare(t, below(dir, o))
		wantStrings(t, "labels", labelsOf(split(t, d, "train")), []string{"a+b", "", "b,c"})
	})
	for _, c := range []struct {
		name  string
		o     Options
		parts []string
	}{
		{"null label", Options{Task: Classify, Label: "name"}, []string{"a.parquet:2:", "label is null"}},
		{"no such column", Options{Text: []string{"body"}}, []string{`no column "body"`, "text, class, name"}},
		{"numbers for text", Options{Text: []string{"ignore"}}, []string{`column "ignore"`, "want strings"}},
		{"lists for one label", Options{Task: Classify, Label: "tags"}, []string{"lists", "multilabel"}},
		{"by number", Options{Text: []string{"0"}}, []string{"names"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.Inputs = base.Inputs
			o := below(dir, c.o)
			o.Out = filepath.Join(t.TempDir(), "out")
			_, err := Prepare(context.Background(), o, byteTokenizer{})
			wantError(t, err, c.parts...)
		})
	}
	t.Run("damaged", func(t *testing.T) {
		whole, err := os.ReadFile(filepath.Join(dir, "a.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		for cut := 0; cut < len(whole); cut += 101 {
			bent := bytes.Clone(whole)
			bent[cut] ^= 0x55
			for _, content := range [][]byte{whole[:cut], bent} {
				o := Options{Inputs: []string{"a.parquet"}, Split: allTraining}
				o = below(writeFiles(t, map[string]string{"a.parquet": string(content)}), o)
				Prepare(context.Background(), o, byteTokenizer{}) // an error or not, but no panic
			}
		}
	})
}

func TestFolders(t *testing.T) {
	files := map[string]string{
		"set/pos/1.txt": "good", "set/pos/2.txt": "fine", "set/neg/deep/1.txt": "bad", "set/.git/x": "hidden",
		"set/neg/2.txt.gz": gzipped("awful"),
	}
	d := prepare(t, below(writeFiles(t, files), Options{Inputs: []string{"set"}, Task: Classify, Split: allTraining}))
	s := split(t, d, "train")
	wantStrings(t, "texts", texts(t, s), []string{"awful", "bad", "good", "fine"})
	wantStrings(t, "labels", labelsOf(s), []string{"neg", "neg", "pos", "pos"})
	if source := d.Manifest.Sources[0]; source.Files != 4 || source.Hidden != 1 {
		t.Errorf("source %+v, want 4 files and 1 hidden", source)
	}
	if got := s.Origin(1); !strings.HasSuffix(got, "set, file 2") {
		t.Errorf("origin %q", got)
	}
	d = prepare(t, below(writeFiles(t, files), Options{Inputs: []string{"set"}, Split: allTraining}))
	wantStrings(t, "texts", texts(t, split(t, d, "train")), []string{"awful", "bad", "good", "fine"})
}

// TestPieces holds that a long text comes through whole and is cut where a word begins.
func TestPieces(t *testing.T) {
	lines := strings.Repeat("the quick brown fox\njumps over  two\n\nlazy dogs\r\n", 80_000) // 3.8 MB
	han := strings.Repeat("春眠不觉晓处处闻啼鸟", 120_000)                                             // 3.6 MB without a space
	for name, text := range map[string]string{"lines": lines, "han": han, "mixed": han[:1_500_000] + " " + lines} {
		t.Run(name, func(t *testing.T) {
			o := below(writeFiles(t, map[string]string{"a.txt": text}), Options{Inputs: []string{"a.txt"}, Split: allTraining})
			im, err := Scan(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			var whole strings.Builder
			for piece, err := range im.TrainingTexts(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				if len(piece) > pieceSize+rawBuffer {
					t.Fatalf("piece of %d bytes", len(piece))
				}
				wantWordStart(t, name, whole.String(), piece)
				whole.WriteString(piece)
			}
			if whole.String() != strings.ReplaceAll(text, "\r\n", "\n") {
				t.Error("the pieces are not the text")
			}
		})
	}
}

// TestPieceEnd has the places where GPT-2's pattern would see other words in two pieces than in the whole; | is the cut.
func TestPieceEnd(t *testing.T) {
	for _, text := range []string{
		"first words of\n|next words", "first words of\n|it\n\nw", "the first words| x  y", "the first part| of\n z",
		"many words| a\u3000\nb", "many words\n|ab\u3000 cd", "春眠不觉晓处处闻啼|鸟", "春眠不觉晓处处闻啼|\xe9\xb8", "aaaaaaa|a",
	} {
		whole := strings.Replace(text, "|", "", 1)
		if got := pieceEnd([]byte(whole)); got != strings.Index(text, "|") {
			t.Errorf("%q is cut as %q | %q", text, whole[:got], whole[got:])
		}
	}
}

func wantWordStart(t *testing.T, name, before, piece string) {
	if before == "" || name == "han" {
		return
	}
	last := before[len(before)-1]
	afterLine := last == '\n' && before[len(before)-2] > ' ' && piece[0] > ' '
	beforeSpace := last > ' ' && piece[0] == ' ' && piece[1] > ' '
	if !afterLine && !beforeSpace && last < 0x80 {
		t.Errorf("cut between %q and %q", before[len(before)-4:], piece[:4])
	}
}
