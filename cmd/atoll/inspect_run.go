package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"atoll/model/checkpoint"
	"atoll/trainer/metric"
)

// runInfo is what atoll inspect run prints.
type runInfo struct {
	Run      string          `json:"run"`
	Settings map[string]any  `json:"settings"`
	Best     string          `json:"best,omitempty"`
	Latest   string          `json:"latest,omitempty"`
	Report   string          `json:"report,omitempty"`
	Records  int             `json:"records"`
	Last     []metric.Record `json:"last"`
	Warnings []string        `json:"warnings,omitempty"`
}

func newInspectRun(s streams) *cobra.Command {
	lines, asJSON := 5, false
	c := &cobra.Command{
		Use:     "run RUN",
		Short:   "Settings, checkpoints and last measurements of a run",
		Example: "  atoll inspect run runs/sms --lines 20",
		Args:    exactly(1, "a run directory, as written by atoll pretrain or finetune"),
		RunE: func(_ *cobra.Command, args []string) error {
			if lines < 0 {
				return usage("--lines %d: want at least 0", lines)
			}
			info, err := describeRun(args[0], lines)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.out, info)
			}
			info.print(s.out)
			return nil
		},
	}
	c.Flags().IntVar(&lines, "lines", lines, "last measurements shown")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func describeRun(dir string, lines int) (runInfo, error) {
	info := runInfo{Run: dir}
	text, err := os.ReadFile(filepath.Join(dir, "settings.yaml"))
	if err != nil {
		return info, fmt.Errorf("%s is no run: %w: want a directory written by atoll pretrain or finetune", dir, err)
	}
	if err := yaml.Unmarshal(text, &info.Settings); err != nil {
		return info, fmt.Errorf("%s: %w", filepath.Join(dir, "settings.yaml"), err)
	}
	for _, pointer := range []struct {
		which checkpoint.Which
		to    *string
	}{{checkpoint.Best, &info.Best}, {checkpoint.Newest, &info.Latest}} {
		path, warnings, err := checkpoint.Resolve(dir, pointer.which)
		if err != nil && !errors.Is(err, checkpoint.ErrNone) {
			warnings = append(warnings, err.Error())
		}
		*pointer.to = path
		info.Warnings = append(info.Warnings, warnings...)
	}
	if report := filepath.Join(dir, "report.html"); fileExists(report) {
		info.Report = report
	}
	records, err := metric.ReadLog(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return info, err
	}
	info.Records, info.Last = len(records), records[max(len(records)-lines, 0):]
	return info, nil
}

func (info runInfo) print(w io.Writer) {
	fmt.Fprintf(w, "run       %s\n", info.Run)
	for _, line := range []struct{ name, value string }{{"best", info.Best}, {"latest", info.Latest}, {"report", info.Report}} {
		if line.value == "" {
			line.value = "none yet"
		}
		fmt.Fprintf(w, "%-9s %s\n", line.name, line.value)
	}
	for _, name := range slices.Sorted(maps.Keys(info.Settings)) {
		fmt.Fprintf(w, "setting   %-16s %v\n", name, info.Settings[name])
	}
	for _, r := range info.Last {
		fmt.Fprintf(w, "step %-6d %-5s loss %-8s lr %-8s %8s tokens/s %8s s\n", r.Step, r.Split, showNumber("%.4f", r.Loss),
			showNumber("%.3g", r.LearningRate), showNumber("%.0f", r.TokensPerSecond), showNumber("%.1f", r.Seconds))
	}
	for _, warning := range info.Warnings {
		fmt.Fprintf(w, "warning   %s\n", warning)
	}
}

// showNumber writes a measurement, - where there is none.
func showNumber(format string, x metric.Number) string {
	if math.IsNaN(float64(x)) {
		return "-"
	}
	return fmt.Sprintf(format, float64(x))
}
