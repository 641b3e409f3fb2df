package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"atoll/trainer"
	"atoll/trainer/metric"
)

// evaluateFlags are the settings of an evaluation as the user gives them.
type evaluateFlags struct {
	trainer.EvaluateSettings
	device    deviceFlags
	report    string
	overwrite bool
	asJSON    bool
}

func newEvaluate(s streams) *cobra.Command {
	e := &evaluateFlags{}
	c := &cobra.Command{
		Use:   "evaluate --model MODEL --data DATA",
		Short: "Score a model on held-out text",
		Long: "A language model: loss, perplexity, bits per byte. A classifier: accuracy, precision, recall and F1 by class and averaged,\n" +
			"confusion matrix and calibration, beside an n-gram baseline fitted on the same training split.",
		Example: "  atoll evaluate --model runs/sms --data data/sms\n  atoll evaluate --model runs/sms --data data/sms --split valid --report sms.html",
		Args:    exactly(0, "flags only"),
		RunE:    func(c *cobra.Command, _ []string) error { return evaluate(c.Context(), s, e) },
	}
	f := c.Flags()
	f.StringVar(&e.Model, "model", "", "a run (its best checkpoint), a checkpoint or a Hugging Face GPT-2 directory (required)")
	f.StringVar(&e.Data, "data", "", "data directory, prepared with the model's tokenizer (required)")
	f.StringVar(&e.Split, "split", "test", "valid or test")
	f.IntVar(&e.Sequence, "seq", 0, "tokens read at one time, at most; 0: the model's positions, or those that a language model's run trained")
	f.BoolVar(&e.Baseline, "baseline", true, "score an n-gram baseline beside a classifier")
	f.StringVar(&e.report, "report", "", "HTML file to write: scores, confusion matrix, calibration, mistakes")
	f.BoolVar(&e.overwrite, "overwrite", false, "replace the file of --report")
	e.device.answers = true
	e.device.add(f)
	f.BoolVar(&e.asJSON, "json", false, "print the scores as JSON")
	withConfig(c)
	return c
}

func (e *evaluateFlags) validate() error {
	switch {
	case e.Model == "" || e.Data == "":
		return usage("evaluate: model %q and data %q, want both: --model MODEL --data DATA", e.Model, e.Data)
	case e.Split != "valid" && e.Split != "test":
		return usage("evaluate: split %q, want valid or test (--split)", e.Split)
	case e.Sequence < 0:
		return usage("evaluate: sequence %d, want at least 1, or 0 for the model's own (--seq)", e.Sequence)
	case e.report != "" && !e.overwrite && fileExists(e.report):
		return fmt.Errorf("%s exists: give another --report, or --overwrite to replace it", e.report)
	}
	return nil
}

func evaluate(ctx context.Context, s streams, e *evaluateFlags) error {
	if err := e.validate(); err != nil {
		return err
	}
	device, precision, packing, err := e.device.openToAnswer(s.err)
	if err != nil {
		return err
	}
	defer device.Close()
	e.Threads = device.Threads()
	result, err := trainer.Evaluate(ctx, e.EvaluateSettings, trainer.Env{Device: device, Precision: precision, Packing: packing})
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	for _, warning := range result.Warnings {
		fmt.Fprintf(s.err, "warning: %s\n", warning)
	}
	if e.asJSON {
		err = writeJSON(s.out, result)
	} else {
		err = printEvaluation(s, result)
	}
	if err != nil || e.report == "" {
		return err
	}
	// After the scores, which are then not lost where the file cannot be written.
	if err := trainer.WriteReport(e.report, evaluationReport(result, device.Describe()+", "+answerName(precision, packing, device))); err != nil {
		return err
	}
	if !e.asJSON {
		_, err = fmt.Fprintf(s.out, "\nreport %s\n", e.report)
	}
	return err
}

// evaluationReport is the page of an evaluation: all scores, and the curves of the model's run where there is one.
func evaluationReport(e *trainer.Evaluation, device string) metric.Report {
	r := metric.Report{
		Title:    fmt.Sprintf("%s on the %s split of %s", modelName(e.Model), e.Split, filepath.Base(filepath.Clean(e.Data))),
		Subtitle: device, Split: e.Split, ClassNames: e.Labels, Classification: e.Classification, MultiLabel: e.MultiLabel,
		Warnings: e.Warnings, Mistakes: e.Mistakes,
		Settings: []metric.Setting{{Name: "model", Value: e.Model}, {Name: "data", Value: e.Data}, {Name: "split", Value: e.Split}, {Name: "seq", Value: fmt.Sprint(e.Sequence)}},
		Tiles:    []metric.Tile{{Name: "Documents", Value: metric.FormatCount(int64(e.Documents)), Note: metric.FormatCount(int64(e.Tokens)) + " tokens"}},
	}
	// The curves of the run that the checkpoint is of; another program's model has none.
	if log, err := metric.ReadLog(filepath.Join(e.Model, "..", "..", "metrics.jsonl")); err == nil {
		r.Log = log
	}
	if e.Truncated > 0 {
		r.Warnings = append(r.Warnings, truncation(e))
	}
	if l := e.Language; l != nil {
		r.Tiles = append(r.Tiles, metric.Tile{Name: "Loss", Value: fmt.Sprintf("%.4f", l.Loss), Note: "nats a token"},
			metric.Tile{Name: "Perplexity", Value: fmt.Sprintf("%.4g", l.Perplexity), Note: "of a token"},
			metric.Tile{Name: "Bits per byte", Value: fmt.Sprintf("%.4f", l.BitsPerByte), Note: fmt.Sprintf("%d bytes", l.Bytes)})
	}
	if b := e.Baseline; b != nil {
		r.Comparison = []metric.Contender{{Name: modelName(e.Model)}, {Name: "n-gram baseline", Note: b.Description}}
		for n, scores := range []trainer.Scores{e.Scores, b.Scores} {
			for _, row := range summary(scores) {
				if row.drawn {
					r.Comparison[n].Scores = append(r.Comparison[n].Scores, metric.NamedScore{Name: row.name, Value: row.value})
				}
			}
		}
	}
	return r
}

// modelName is a model's directory as people call it: the run of a checkpoint.
func modelName(dir string) string {
	clean := filepath.Clean(dir)
	if parent := filepath.Dir(clean); filepath.Base(parent) == "checkpoints" {
		return filepath.Base(filepath.Dir(parent))
	}
	return filepath.Base(clean)
}

func truncation(e *trainer.Evaluation) string {
	return fmt.Sprintf("%d of %d documents are longer than the %d tokens that were read", e.Truncated, e.Documents, e.Sequence)
}
