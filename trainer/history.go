package trainer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"atoll/trainer/metric"
)

// samplesFile holds the texts generated during pretraining, a JSON object a line.
const samplesFile = "samples.jsonl"

// sampleText is a text that the model wrote after a step.
type sampleText struct {
	Step int    `json:"step"`
	Text string `json:"text"`
}

// history is what the report shows of a run: its records over all sessions, and what it wrote.
type history struct {
	records []metric.Record
	samples []sampleText
	best    *Scored // of the best evaluation in this session
	window  [16]struct {
		tokens  int64
		seconds float64
	}
	steps int

	reported  time.Time     // when the last report was written
	reporting time.Duration // how long that took
}

// rate notes how far the run is, for the speed over the last steps.
func (h *history) rate(tokens int64, seconds float64) {
	at := &h.window[h.steps%len(h.window)]
	at.tokens, at.seconds = tokens, seconds
	h.steps++
}

// tokensPerSecond is the speed over the steps in the window; 0 before the second step.
func (h *history) tokensPerSecond() float64 {
	if h.steps < 2 {
		return 0
	}
	last := h.window[(h.steps-1)%len(h.window)]
	first := h.window[max(h.steps-len(h.window), 0)%len(h.window)]
	if last.seconds <= first.seconds {
		return 0
	}
	return float64(last.tokens-first.tokens) / (last.seconds - first.seconds)
}

func (h *history) sample(out string, step int, text string) error {
	h.samples = append(h.samples, sampleText{step, text})
	line, err := json.Marshal(h.samples[len(h.samples)-1])
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(out, samplesFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// load reads what earlier sessions left, up to step. Samples written after it are dropped from the file too.
func (h *history) load(out string, step int) error {
	var err error
	if h.records, err = metric.ReadLog(filepath.Join(out, "metrics.jsonl")); err != nil {
		return err
	}
	path := filepath.Join(out, samplesFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var s sampleText
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			if len(text) > 0 && text[len(text)-1] != '\n' {
				break // torn by a kill while it was written
			}
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if s.Step <= step {
			h.samples = append(h.samples, s)
			kept.Write(lines.Bytes())
			kept.WriteByte('\n')
		}
	}
	return errors.Join(lines.Err(), os.WriteFile(path, kept.Bytes(), 0o644))
}
