package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"atoll/model"
	"atoll/model/predict"
)

// predictionWriter writes predictions as JSON lines. It does so by hand, so that labels stay in the model's order and
// float32 scores have the fewest digits that read back as the same number.
type predictionWriter struct {
	labels    []string
	quoted    [][]byte // the labels as JSON
	multi     bool
	threshold float32
	line      bytes.Buffer
	quote     *json.Encoder // of a string, onto line
}

func newPredictionWriter(c model.Config, threshold float32) *predictionWriter {
	w := &predictionWriter{labels: c.Labels, multi: c.Problem == model.MultiLabel, threshold: threshold}
	w.quote = json.NewEncoder(&w.line)
	w.quote.SetEscapeHTML(false)
	for _, label := range c.Labels {
		w.line.Reset()
		w.string(label)
		w.quoted = append(w.quoted, bytes.Clone(w.line.Bytes()))
	}
	return w
}

// write writes the line of one text.
func (w *predictionWriter) write(out io.Writer, text string, p predict.Prediction) error {
	w.line.Reset()
	w.line.WriteString(`{"text":`)
	w.string(text)
	if w.multi {
		w.line.WriteString(`,"labels":[`)
		w.reached(p.Scores)
		w.line.WriteString(`]`)
	} else {
		best := p.Best()
		w.line.WriteString(`,"label":`)
		w.line.Write(w.quoted[best])
		w.line.WriteString(`,"score":`)
		w.number(p.Scores[best])
	}
	w.line.WriteString(`,"scores":{`)
	for i, score := range p.Scores {
		w.comma(i)
		w.line.Write(w.quoted[i])
		w.line.WriteByte(':')
		w.number(score)
	}
	w.line.WriteByte('}')
	if p.Truncated {
		w.line.WriteString(`,"truncated":true`)
	}
	w.line.WriteString("}\n")
	_, err := out.Write(w.line.Bytes())
	return err
}

// writeBad writes the line that stands for a row without a text.
func (w *predictionWriter) writeBad(out io.Writer, bad error) error {
	w.line.Reset()
	w.line.WriteString(`{"error":`)
	w.string(bad.Error())
	w.line.WriteString("}\n")
	_, err := out.Write(w.line.Bytes())
	return err
}

// reached lists the labels whose score is at least the threshold.
func (w *predictionWriter) reached(scores []float32) {
	n := 0
	for i, score := range scores {
		if score >= w.threshold {
			w.comma(n)
			w.line.Write(w.quoted[i])
			n++
		}
	}
}

func (w *predictionWriter) comma(before int) {
	if before > 0 {
		w.line.WriteByte(',')
	}
}

func (w *predictionWriter) string(s string) {
	w.quote.Encode(s)                 // a bytes.Buffer takes everything, and a string is always JSON
	w.line.Truncate(w.line.Len() - 1) // the line feed that Encode adds
}

func (w *predictionWriter) number(x float32) {
	w.line.Write(strconv.AppendFloat(w.line.AvailableBuffer(), float64(x), 'g', -1, 32))
}
