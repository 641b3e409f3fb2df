package metric

import (
	_ "embed"
	"html/template"
	"io"
)

// Report is what report.html shows of a run. Every field may be empty; its
// section is then left out. Texts are shown as they are, escaped, odd characters
// made visible and long ones cut with a note.
type Report struct {
	Title    string
	Subtitle string    // one line under the title: model, data, device
	Settings []Setting // in the order shown
	Tiles    []Tile    // shown after the figures taken from the fields below
	Warnings []string  // shown on top

	// Log holds the run's records; the curves and the figures of training come
	// from it. Steps need not be in order.
	Log []Record

	// Split is what the scores below were measured on, e.g. "test".
	Split          string
	ClassNames     []string // by class number; missing ones are numbered
	Classification *ClassificationResult
	MultiLabel     *MultiLabelResult
	Comparison     []Contender // the model first, then what it is held against
	Mistakes       []Mistake   // the most confident first
	Samples        []Sample    // text generated during pretraining
}

// Setting is one line of the settings table.
type Setting struct{ Name, Value string }

// Tile is one figure of the summary.
type Tile struct{ Name, Value, Note string }

// Contender is a classifier with its scores, all contenders' under the same
// names.
type Contender struct {
	Name   string
	Note   string // how it was made
	Scores []NamedScore
}

// NamedScore is a score between 0 and 1.
type NamedScore struct {
	Name  string
	Value float64
}

// Mistake is a document that got the wrong class.
type Mistake struct {
	Text        string
	True        string
	Predicted   string
	Probability float64 // of the predicted class
}

// Sample is text that the model wrote at a step.
type Sample struct {
	Step   int64
	Prompt string
	Text   string // without the prompt
}

//go:embed report.html.tmpl
var reportTemplate string

//go:embed report.css
var reportStyle string

//go:embed report.js
var reportScript string

// page is what the template sees.
type page struct {
	Report
	Style  template.CSS
	Script template.JS

	Figures     []Tile
	Charts      []chart
	Classes     []classRow
	Average     []averageRow
	Confusion   *confusionView
	Reliability *reliabilityView
	Contests    []contest
}

// WriteReport writes r to w as one HTML page that needs no other file and no
// network: style, script and pictures are inside.
func WriteReport(w io.Writer, r Report) error {
	p := page{
		Report:      r,
		Style:       template.CSS(reportStyle),
		Script:      template.JS(reportScript),
		Figures:     append(r.figures(), r.Tiles...),
		Charts:      r.charts(),
		Classes:     r.classRows(),
		Average:     r.averageRows(),
		Confusion:   r.confusion(),
		Reliability: r.reliability(),
		Contests:    r.contests(),
	}
	return writePage(w, "report", reportTemplate, template.FuncMap{
		"count":   FormatCount,
		"decimal": func(x float64) string { return formatFloat(x, 3) },
	}, p)
}
