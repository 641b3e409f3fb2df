package data

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// labelledRows writes n rows whose labels have very unequal shares: a half, b a third, c the rest.
func labelledRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "text %d\t%c\n", i, "aababc"[i%6])
	}
	return b.String()
}

func TestStratifiedSplit(t *testing.T) {
	const n = 601
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(n)}), with(byNumber, "a.tsv"))
	o.Split, o.Seed = SplitRule{Fractions: [3]float64{0.7, 0.2, 0.1}}, 3
	d := prepare(t, o)
	seen := make(map[string]int)
	whole := map[string]int64{}
	for s, name := range []string{"train", "valid", "test"} {
		info := d.Manifest.Splits[name]
		for _, text := range texts(t, split(t, d, name)) {
			seen[text]++
		}
		if share := o.Split.Fractions[s] * n; math.Abs(float64(info.Documents)-share) > 2 {
			t.Errorf("%s has %d documents, want about %g", name, info.Documents, share)
		}
		for label, count := range info.LabelCounts {
			whole[label] += count
		}
	}
	for s, name := range []string{"train", "valid", "test"} {
		for label, all := range whole {
			got, share := d.Manifest.Splits[name].LabelCounts[label], o.Split.Fractions[s]*float64(all)
			if math.Abs(float64(got)-share) > 2 {
				t.Errorf("%s has %d of label %s, want about %g", name, got, label, share)
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d different texts in the splits, want %d", len(seen), n)
	}
}

// TestSplitBySeed holds that the seed alone decides: the same files byte for byte, and others for another seed.
func TestSplitBySeed(t *testing.T) {
	o := below(writeFiles(t, map[string]string{"a.tsv": labelledRows(200)}), with(byNumber, "a.tsv"))
	read := func(seed uint64) []byte {
		o.Seed, o.Overwrite = seed, true
		prepare(t, o)
		var all []byte
		for _, name := range []string{manifestName, "train-00000.bin", "train-labels.bin", "test-documents.bin"} {
			b, err := os.ReadFile(filepath.Join(o.Out, name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		return all
	}
	first := read(1)
	if !bytes.Equal(first, read(1)) {
		t.Error("the same seed gave other files")
	}
	if bytes.Equal(first[1000:], read(2)[1000:]) {
		t.Error("another seed gave the same files")
	}
}

// TestRareLabels holds that a label with one row is trained on, whatever the shares.
func TestRareLabels(t *testing.T) {
	content := labelledRows(12) + "once\td\nand once\te\n"
	o := below(writeFiles(t, map[string]string{"a.tsv": content}), with(byNumber, "a.tsv"))
	o.Split = SplitRule{Fractions: [3]float64{0.2, 0.4, 0.4}}
	d := prepare(t, o)
	for label, n := range d.Manifest.Splits["train"].LabelCounts {
		if n == 0 {
			t.Errorf("label %s has no training row", label)
		}
	}
}

// TestEveryTenth holds that row i goes by i mod 10, and that a row that is left out moves no other.
func TestEveryTenth(t *testing.T) {
	var content strings.Builder
	for i := range 40 {
		text := fmt.Sprint("row ", i)
		if i == 4 {
			text = ""
		}
		fmt.Fprintf(&content, "%s\t%d\n", text, i%2)
	}
	content.WriteString("row 40\t0\nrow 41\t1\n")
	o := below(writeFiles(t, map[string]string{"a.tsv": content.String()}), with(byNumber, "a.tsv"))
	o.Split, o.OnBadRow = SplitRule{EveryTenth: true}, Skip
	o.Labels = []string{"0", "1"}
	d := prepare(t, o)
	wantStrings(t, "valid", texts(t, split(t, d, "valid")), []string{"row 8", "row 18", "row 28", "row 38"})
	wantStrings(t, "test", texts(t, split(t, d, "test")), []string{"row 9", "row 19", "row 29", "row 39"})
	if n := split(t, d, "train").Documents(); n != 33 {
		t.Errorf("%d training rows, want 33", n)
	}
	if got := split(t, d, "test").Origin(1); !strings.HasSuffix(got, "a.tsv:20") {
		t.Errorf("origin %q, want a.tsv:20", got)
	}
}

// TestGivenSplits holds that a split with a file of its own takes nothing from the inputs.
func TestGivenSplits(t *testing.T) {
	files := map[string]string{"a.tsv": labelledRows(100), "v.tsv": "v1\ta\nv2\tb\n", "t.tsv": "t1\tb\n"}
	dir := writeFiles(t, files)
	for _, c := range []struct {
		valid, test []string
		want        [3]int
	}{
		{nil, nil, [3]int{80, 10, 10}},
		{[]string{"v.tsv"}, nil, [3]int{90, 2, 10}},
		{nil, []string{"t.tsv"}, [3]int{90, 10, 1}},
		{[]string{"v.tsv"}, []string{"t.tsv"}, [3]int{100, 2, 1}},
	} {
		o := with(byNumber, "a.tsv")
		o.Valid, o.Test, o.Overwrite = c.valid, c.test, true
		d := prepare(t, below(dir, o))
		for s, want := range c.want {
			if got := split(t, d, splitID(s).String()).Documents(); got != want {
				t.Errorf("valid %v, test %v: %s has %d documents, want %d", c.valid, c.test, splitID(s), got, want)
			}
		}
	}
}

// TestSplitByPosition holds that a single text is cut where nanoGPT cuts it, at whole characters.
func TestSplitByPosition(t *testing.T) {
	text := strings.Repeat("abcdefg h", 150_001) + "éééé"
	for _, c := range []struct {
		fractions [3]float64
		ends      [3]int
	}{
		{[3]float64{0.9, 0.1, 0}, [3]int{1215015, 1350017, 1350017}},
		{[3]float64{0.5, 0.25, 0.25}, [3]int{675008, 1012512, 1350017}},
		{[3]float64{1, 0, 0}, [3]int{1350017, 1350017, 1350017}},
	} {
		o := below(writeFiles(t, map[string]string{"a.txt": text}), Options{Inputs: []string{"a.txt"}})
		o.Split.Fractions = c.fractions
		d := prepare(t, o)
		begin := 0
		for s, end := range c.ends {
			want := text[begin:end]
			got := strings.Join(texts(t, split(t, d, splitID(s).String())), "|")
			if got != want {
				t.Errorf("%v: %s has %d bytes, want %d", c.fractions, splitID(s), len(got), len(want))
			}
			begin = end
		}
	}
	o := below(writeFiles(t, map[string]string{"a.txt": "aéb"}), Options{Inputs: []string{"a.txt"}})
	o.Split.Fractions = [3]float64{0.5, 0.5, 0} // the middle of é
	d := prepare(t, o)
	wantStrings(t, "train", texts(t, split(t, d, "train")), []string{"aé"})
	wantStrings(t, "valid", texts(t, split(t, d, "valid")), []string{"b"})
}

func TestDuplicates(t *testing.T) {
	files := map[string]string{
		"a.tsv": "Hello  World\ta\nother\tb\nhello world \tb\nunique\ta\n",
		"v.tsv": "other\tb\nnew\ta\n",
		"t.tsv": "HELLO WORLD\ta\nnew\ta\nhelloworld\ta\n",
	}
	o := with(byNumber, "a.tsv")
	o.Valid, o.Test = []string{"v.tsv"}, []string{"t.tsv"}
	d := prepare(t, below(writeFiles(t, files), o))
	got := *d.Manifest.Duplicates
	if len(got.Examples) != 3 {
		t.Errorf("examples %+v, want 3", got.Examples)
	}
	got.Examples = nil
	if want := (Duplicates{Repeated: 4, ValidInTrain: 1, TestInTrain: 1, TestInValid: 1, OtherLabels: 1}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("duplicates %+v, want %+v", got, want)
	}
	if notes := strings.Join(d.Manifest.Notes, "; "); !strings.Contains(notes, "1 of valid and 1 of test stand in train") {
		t.Errorf("notes %q do not tell", notes)
	}
}

func TestParseSplit(t *testing.T) {
	for _, s := range []string{"0.8,0.1,0.1", "every-tenth", "1,0,0"} {
		rule, err := ParseSplit(s)
		if err != nil || rule.String() != s {
			t.Errorf("%q became %v, %v", s, rule, err)
		}
	}
	for _, s := range []string{"", "0.8,0.2", "a,b,c", "0,0.5,0.5", "2,-1,0", "NaN,0,1"} {
		if _, err := ParseSplit(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

// TestChangedInput holds that a file that changes between the passes is noticed.
func TestChangedInput(t *testing.T) {
	for name, after := range map[string]string{"longer": "one\ntwo\nthree\n", "same size": "one\nTWO\n", "shorter": "one\n"} {
		o := below(writeFiles(t, map[string]string{"a.tsv": "one\ntwo\n"}), Options{Inputs: []string{"a.tsv"}, Text: []string{"0"}, Split: allTraining})
		im, err := Scan(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.Inputs[0], []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = im.Write(context.Background(), byteTokenizer{})
		t.Run(name, func(t *testing.T) { wantError(t, err, "changed while it was being read") })
		wantNothing(t, o.Out)
	}
}
