package metric

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
)

// What all pages have: their head and title, tiles and settings.
//
//go:embed page.html.tmpl
var pageTemplate string

// writePage writes data to w through the template called name: one HTML page that needs no other file and no network. data has a Title,
// a Subtitle, a Style, Figures and Settings; functions are what the template calls beside those that every page has.
func writePage(w io.Writer, name, text string, functions template.FuncMap, data any) error {
	all := template.FuncMap{
		"clean":     cleanText,
		"percent":   formatPercent,
		"percentOf": func(x float64) float64 { return round2(100 * min(max(x, 0), 1)) },
	}
	maps.Copy(all, functions)
	t, err := template.New(name).Funcs(all).Parse(pageTemplate + text)
	if err != nil {
		return fmt.Errorf("%s template: %w", name, err)
	}
	if err := t.Execute(w, data); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
