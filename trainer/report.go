package trainer

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"atoll/model/checkpoint"
	"atoll/model/predict"
	"atoll/trainer/metric"
)

const (
	reportFile = "report.html"

	// reportShare bounds the time that reports of a running run take: one is left out until this many times what the last
	// one took has passed.
	reportShare = 20
)

// watch writes the report of a run under way, unless the last one is too fresh. A report that cannot be written then is a
// warning: the run goes on, and the report is tried again at its end.
func (r *run) watch() {
	h := &r.history
	if time.Since(h.reported) < reportShare*h.reporting {
		return
	}
	begun := time.Now()
	if err := r.writeReport(); err != nil {
		r.env.Progress.Print(fmt.Sprintf("warning: report: %v", err))
	}
	h.reported, h.reporting = time.Now(), time.Since(begun)
}

// completeReport writes the last report. After a resume the best evaluation may be of an earlier session, which kept no
// answers: the best checkpoint is then scored again.
func (r *run) completeReport(ctx context.Context) error {
	if c, ok := r.task.(*classifier); ok && r.history.best == nil && r.state.BestStep > 0 && ctx.Err() == nil {
		scored, err := c.scoreBest(ctx)
		if err != nil {
			r.env.Progress.Print(fmt.Sprintf("warning: the report has no validation scores: %v", err))
		}
		r.history.best = scored
	}
	return r.writeReport()
}

// scoreBest scores the validation split with the best checkpoint on disk.
func (c *classifier) scoreBest(ctx context.Context) (*Scored, error) {
	split, err := c.run.dataset.Split("valid")
	if err != nil {
		return nil, err
	}
	m, err := predict.Load(c.run.Out, c.run.env.Device, predict.Options{Precision: c.run.env.Precision, Which: checkpoint.Best})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return Classify(ctx, m, split, c.run.Sequence, nil)
}

// writeReport writes report.html, whole or not at all.
func (r *run) writeReport() error {
	report, err := r.report()
	if err != nil {
		return err
	}
	return WriteReport(r.path(reportFile), report)
}

// WriteReport writes a report as the file path, whole or not at all.
func WriteReport(path string, report metric.Report) error {
	return WritePage(path, func(w io.Writer) error { return metric.WriteReport(w, report) })
}

// WritePage writes what write gives as the file path, whole or not at all: a reader meets the old page or the new one.
func WritePage(path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".report-*.tmp")
	if err != nil {
		return fmt.Errorf("report %s: %w", path, err)
	}
	defer os.Remove(file.Name()) // of no effect once it has its own name
	err = write(file)
	err = cmp.Or(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", path, err)
	}
	return nil
}

// report is what is known of the run now.
func (r *run) report() (metric.Report, error) {
	settings, err := r.settingRows()
	if err != nil {
		return metric.Report{}, err
	}
	kind := "pretraining"
	if _, ok := r.task.(*classifier); ok {
		kind = "fine-tuning"
	}
	report := metric.Report{Title: filepath.Base(filepath.Clean(r.Out)) + ", " + kind, Subtitle: r.subtitle(), Settings: settings,
		Tiles: r.tiles(), Log: r.history.records}
	for _, s := range r.history.samples {
		report.Samples = append(report.Samples, metric.Sample{Step: int64(s.Step), Text: s.Text})
	}
	if kind == "fine-tuning" && r.state.BestStep > 0 {
		err = r.addScores(&report)
	}
	if r.stopped != "" {
		report.Warnings = append(report.Warnings, fmt.Sprintf("stopped after step %d: %s", r.state.Step, r.stopped))
	}
	return report, err
}

func (r *run) subtitle() string {
	train := r.dataset.Manifest.Splits["train"]
	return fmt.Sprintf("GPT-2 of %d layers, %d wide, vocabulary %d; trained on %d documents of %s; %s, %s", r.config.Layers, r.config.Width,
		r.config.Vocab, train.Documents, filepath.Base(filepath.Clean(r.Data)), r.env.Device.Describe(), r.Precision)
}

// tiles are the figures that the log does not hold.
func (r *run) tiles() []metric.Tile {
	tiles := []metric.Tile{{Name: "Parameters", Value: parameterCount(r.config.ParamCount()), Note: fmt.Sprintf("%d layers, %d wide", r.config.Layers, r.config.Width)}}
	if peak := PeakMemory(); peak > 0 {
		tiles = append(tiles, metric.Tile{Name: "Peak memory", Value: fmt.Sprintf("%.0f MB", float64(peak)/1e6), Note: "of the process"})
	}
	return tiles
}

func parameterCount(n int) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f G", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.2f M", float64(n)/1e6)
	}
	return strconv.Itoa(n)
}

// settingRows are the settings as settings.yaml has them.
func (r *run) settingRows() ([]metric.Setting, error) {
	var document yaml.Node
	if err := document.Encode(r.Settings); err != nil {
		return nil, err
	}
	var rows []metric.Setting
	for n := 0; n+1 < len(document.Content); n += 2 {
		rows = append(rows, metric.Setting{Name: document.Content[n].Value, Value: document.Content[n+1].Value})
	}
	return rows, nil
}

// addScores adds the validation scores of the best evaluation.
func (r *run) addScores(report *metric.Report) error {
	best := r.history.best
	if best == nil {
		report.Warnings = append(report.Warnings, fmt.Sprintf("the best evaluation, at step %d, was made before the run was resumed: its scores by class are added when the run ends", r.state.BestStep))
		return nil
	}
	split, err := r.dataset.Split("valid")
	if err != nil {
		return err
	}
	report.Split, report.ClassNames = "validation", r.config.Labels
	report.Classification, report.MultiLabel = best.Single, best.Multi
	report.Tiles = append([]metric.Tile{{Name: "Best evaluation", Value: "step " + strconv.Itoa(r.state.BestStep), Note: "its weights are kept as best"}}, report.Tiles...)
	if best.Truncated > 0 {
		report.Warnings = append(report.Warnings, fmt.Sprintf("%d of %d validation documents are longer than the %d tokens that were read", best.Truncated, split.Documents(), r.Sequence))
	}
	report.Mistakes, err = best.mistakes(split, r.tokenizer, r.config.Labels, r.config.Problem)
	return err
}
