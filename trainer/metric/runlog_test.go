package metric

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func trainRecord(step int64) Record {
	return Record{Step: step, Tokens: 64 * step, Split: "train", Loss: 2.5, LearningRate: 1e-3,
		GradNorm: 0.75, TokensPerSecond: 21500, Seconds: Number(step) / 4}
}

func TestLogLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	log, err := CreateLog(path)
	if err != nil {
		t.Fatal(err)
	}
	valid := Record{Step: 7, Tokens: 448, Split: "valid", Loss: Number(math.NaN()), LearningRate: 0,
		GradNorm: Number(math.Inf(1)), Accuracy: new(Number(0)), PeakShare: new(Number(0.5))}
	for _, r := range []Record{trainRecord(7), valid} {
		if err := log.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"step":7,"tokens":448,"split":"train","loss":2.5,"learning_rate":0.001,"grad_norm":0.75,"tokens_per_second":21500,"seconds":1.75}
{"step":7,"tokens":448,"split":"valid","loss":null,"learning_rate":0,"grad_norm":null,"tokens_per_second":0,"seconds":0,"accuracy":0,"peak_share":0.5}
`
	if got := readText(t, path); got != want {
		t.Errorf("log is\n%swant\n%s", got, want)
	}
	records, err := ReadLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || records[0] != trainRecord(7) {
		t.Errorf("read back %+v", records)
	}
	if back := records[1]; !math.IsNaN(float64(back.Loss)) || *back.Accuracy != 0 || back.Perplexity != nil {
		t.Errorf("read back %+v, want %+v", back, valid)
	}
	if _, err := CreateLog(path); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("creating it again: error %v", err)
	}
}

func TestResumeLog(t *testing.T) {
	line := func(step string) string { return `{"step":` + step + `,"split":"train","other":"kept"}` + "\n" }
	for _, c := range []struct {
		name, before, after, fault string
	}{
		{"later steps go", line("1") + line("2") + line("3"), line("1") + line("2"), ""},
		{"a later step among earlier ones goes", line("3") + line("2"), line("2"), ""},
		{"a torn line goes", line("1") + `{"step":2,"spl`, line("1"), ""},
		{"a torn line of blanks goes", line("1") + "\x00\x00", line("1"), ""},
		{"only the last newline is missing", strings.TrimSuffix(line("1"), "\n"), line("1"), ""},
		{"empty", "", "", ""},
		{"damage inside", line("1") + "{oops}\n" + line("2"), "", ":2: not a record"},
		{"no step", `{"split":"train"}` + "\n", "", ":1: not a record of a run log (no step"},
		{"step of another type", line("1") + line(`"x"`), "", ":2: not a record"},
		{"not a log", strings.Repeat("x", maxRecord+1), "", ":1: line of more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "metrics.jsonl")
			if err := os.WriteFile(path, []byte(c.before), 0o644); err != nil {
				t.Fatal(err)
			}
			log, err := ResumeLog(path, 2)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), path+c.fault) {
					t.Errorf("error %v, want one with %q", err, path+c.fault)
				}
				if got := readText(t, path); got != c.before {
					t.Error("a damaged log was changed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Append(trainRecord(3)); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			got := readText(t, path)
			if !strings.HasPrefix(got, c.after) || strings.Count(got, "\n") != strings.Count(c.after, "\n")+1 {
				t.Errorf("log is\n%swant one more line after\n%s", got, c.after)
			}
			if names, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(names) != 1 {
				t.Errorf("files left behind: %v", names)
			}
		})
	}
}

func TestResumeLogMakesAMissingFile(t *testing.T) {
	log, err := ResumeLog(filepath.Join(t.TempDir(), "metrics.jsonl"), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzResumeLog asks that no content panics, and that a log once accepted is
// accepted unchanged the next time.
func FuzzResumeLog(f *testing.F) {
	f.Add([]byte(`{"step":1,"split":"train","loss":null}` + "\n" + `{"st`))
	f.Add([]byte("\n{}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		log, err := ResumeLog(path, 1)
		if err != nil {
			return
		}
		log.Close()
		once := readText(t, path)
		log, err = ResumeLog(path, 1)
		if err != nil {
			t.Fatalf("accepted once, then refused: %v", err)
		}
		log.Close()
		if twice := readText(t, path); twice != once {
			t.Errorf("resumed again, %q became %q", once, twice)
		}
	})
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
