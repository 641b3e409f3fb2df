package trainer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/trainer/data"
	"atoll/trainer/metric"
)

func readReport(t *testing.T, run string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReportOfClassifier: the page has the run's settings, its curves and the scores of its best evaluation; a run that is
// resumed has lost the answers of that evaluation and makes them again.
func TestReportOfClassifier(t *testing.T) {
	env := testEnv(t)
	s := finetuned(t, prepareTexts(t, messages(40), data.Options{Task: data.Classify}), env)
	want := []string{"run, fine-tuning", "<dt>lr</dt><dd>0.002</dd>", "Confusion", "Calibration", "of the process", "<path", "Best evaluation",
		"documents of ham were given ham", "Parameters"}
	first := readReport(t, s.Out)
	for _, w := range want {
		if !strings.Contains(first, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if err := os.Remove(filepath.Join(s.Out, "report.html")); err != nil {
		t.Fatal(err)
	}
	s.Resume = true
	if _, err := Finetune(context.Background(), s, env); err != nil {
		t.Fatal(err)
	}
	again := readReport(t, s.Out)
	for _, w := range want {
		if !strings.Contains(again, w) {
			t.Errorf("the page after resuming lacks %q", w)
		}
	}
	if before, after := mistakesOf(first), mistakesOf(again); before != after {
		t.Errorf("mistakes after resuming differ:\n%s\nwant\n%s", after, before)
	}
}

// writerFunc is called with what is written.
type writerFunc func(text string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// mistakesOf is the section of a page that lists mistakes; empty where there are none.
func mistakesOf(page string) string {
	_, rest, _ := strings.Cut(page, `<ul class="mistakes">`)
	list, _, _ := strings.Cut(rest, "</ul>")
	return list
}

// TestReportWhileRunning: each evaluation leaves a page, so that an interrupted run has one.
func TestReportWhileRunning(t *testing.T) {
	s := PretrainDefaults()
	s.Data, s.Out, s.Model = prepareTexts(t, messages(40), data.Options{Task: data.LanguageModel}), filepath.Join(t.TempDir(), "lm"), tinyConfig(t)
	s.Steps, s.Batch, s.Sequence, s.EvalEvery, s.SampleTokens = 4, 2, 16, 2, 5
	env, early := testEnv(t), ""
	env.Progress = metric.NewProgressLine(writerFunc(func(text string) {
		if strings.Contains(text, "step 4: validation loss") { // printed before that evaluation's page is written
			early = readReport(t, s.Out)
		}
	}), nil)
	if _, err := Pretrain(context.Background(), s, env); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(early, "step 2<") {
		t.Errorf("the page of the evaluation at step 2 is %q", early)
	}
	page := readReport(t, s.Out)
	for _, w := range []string{"lm, pretraining", "Perplexity", "Text written during training", "step 2<", "step 4<", "<dt>seq</dt><dd>16</dd>"} {
		if !strings.Contains(page, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if entries, err := filepath.Glob(filepath.Join(s.Out, ".report-*")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
