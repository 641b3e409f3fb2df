package metric

import (
	"cmp"
	"fmt"
	"slices"
)

// maxMatrix is the largest confusion matrix shown whole; beyond it a reader is
// better served by the list of what is confused most.
const maxMatrix = 30

// classRow is one line of the table of classes.
type classRow struct {
	Name string
	ClassScore
}

// averageRow is one line of averages under it.
type averageRow struct {
	Name string
	Average
}

// confusionView is the heat map, or the list of the most frequent confusions
// where there are too many classes.
type confusionView struct {
	Names []string
	Rows  []confusionRow
	Pairs []confusionPair
	Small bool // many columns: counts only
	Width int  // pixels below which the table scrolls
}

type confusionRow struct {
	Name  string
	Cells []confusionCell
}

// confusionCell counts documents of one true class that got one class.
type confusionCell struct {
	Count  int64
	Share  float64 // of the true class's documents
	Right  bool
	Strong bool // the shade is dark: the text must be light
	Title  string
}

type confusionPair struct {
	True, Predicted string
	Count           int64
	Share           float64
}

// className is the name of a class, its number where it has none.
func (r Report) className(class int) string {
	if class < len(r.ClassNames) && r.ClassNames[class] != "" {
		return cleanText(r.ClassNames[class])
	}
	return fmt.Sprintf("class %d", class)
}

func (r Report) classScores() []ClassScore {
	switch {
	case r.Classification != nil:
		return r.Classification.Classes
	case r.MultiLabel != nil:
		return r.MultiLabel.Classes
	}
	return nil
}

func (r Report) classRows() (rows []classRow) {
	for i, s := range r.classScores() {
		rows = append(rows, classRow{r.className(i), s})
	}
	return rows
}

func (r Report) averageRows() []averageRow {
	switch {
	case r.Classification != nil:
		return []averageRow{{"macro average", r.Classification.Macro}, {"weighted average", r.Classification.Weighted}}
	case r.MultiLabel != nil:
		return []averageRow{{"micro average", r.MultiLabel.Micro}, {"macro average", r.MultiLabel.Macro},
			{"weighted average", r.MultiLabel.Weighted}}
	}
	return nil
}

func (r Report) confusion() *confusionView {
	if r.Classification == nil || len(r.Classification.Confusion) == 0 {
		return nil
	}
	counts := r.Classification.Confusion
	if len(counts) > maxMatrix {
		return &confusionView{Pairs: r.confusionPairs(counts)}
	}
	v := &confusionView{Small: len(counts) > 12, Width: 84 + 56*len(counts)}
	if v.Small {
		v.Width = 84 + 34*len(counts)
	}
	for target, row := range counts {
		name, total := r.className(target), sum(row)
		v.Names = append(v.Names, name)
		line := confusionRow{Name: name}
		for predicted, n := range row {
			share := ratio(n, total)
			line.Cells = append(line.Cells, confusionCell{
				Count: n, Share: share, Right: target == predicted, Strong: share > 0.5,
				Title: fmt.Sprintf("%s of %s documents of %s were given %s (%s)",
					FormatCount(n), FormatCount(total), name, r.className(predicted), formatPercent(share)),
			})
		}
		v.Rows = append(v.Rows, line)
	}
	return v
}

// confusionPairs lists the most frequent confusions, maxMatrix at most.
func (r Report) confusionPairs(counts [][]int64) (pairs []confusionPair) {
	for target, row := range counts {
		total := sum(row)
		for predicted, n := range row {
			if n > 0 && target != predicted {
				pairs = append(pairs, confusionPair{r.className(target), r.className(predicted), n, ratio(n, total)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b confusionPair) int { return cmp.Compare(b.Count, a.Count) })
	return pairs[:min(len(pairs), maxMatrix)]
}

func sum(row []int64) (total int64) {
	for _, n := range row {
		total += n
	}
	return total
}

// reliabilityView is the reliability diagram: bars of accuracy over bins of
// confidence, and below it how many predictions each bin has.
type reliabilityView struct {
	Bins []reliabilityBin
	ECE  float64
}

// reliabilityBin holds percentages of the plot's sides.
type reliabilityBin struct {
	Left, Width      float64
	Accuracy, Expect float64
	Share            float64 // of the fullest bin
	Title            string
}

func (r Report) reliability() *reliabilityView {
	v := &reliabilityView{}
	var bins []Bin
	switch {
	case r.Classification != nil:
		bins, v.ECE = r.Classification.Reliability, r.Classification.ECE
	case r.MultiLabel != nil:
		bins, v.ECE = r.MultiLabel.Reliability, r.MultiLabel.ECE
	}
	var fullest int64
	for _, b := range bins {
		fullest = max(fullest, b.Count)
	}
	if fullest == 0 {
		return nil
	}
	for _, b := range bins {
		v.Bins = append(v.Bins, reliabilityBin{
			Left: round2(100 * b.Low), Width: round2(100 * (b.High - b.Low)),
			Accuracy: round2(100 * b.Accuracy), Expect: round2(100 * b.Confidence),
			Share: round2(100 * ratio(b.Count, fullest)),
			Title: fmt.Sprintf("confidence %.0f to %.0f %%: %s predictions, %s sure on average, %s right",
				100*b.Low, 100*b.High, FormatCount(b.Count), formatPercent(b.Confidence), formatPercent(b.Accuracy)),
		})
	}
	return v
}

// contest is one score of all contenders.
type contest struct {
	Name string
	Bars []contestBar
}

type contestBar struct {
	Name  string
	Value float64
	Known bool
	Best  bool
	First bool // the model of this report
}

func (r Report) contests() (list []contest) {
	if len(r.Comparison) == 0 {
		return nil
	}
	for _, score := range r.Comparison[0].Scores {
		c := contest{Name: score.Name}
		best := 0
		for i, contender := range r.Comparison {
			bar := contestBar{Name: contender.Name, First: i == 0}
			for _, s := range contender.Scores {
				if s.Name == score.Name && finite(s.Value) {
					bar.Value, bar.Known = s.Value, true
				}
			}
			c.Bars = append(c.Bars, bar)
			if bar.Value > c.Bars[best].Value {
				best = i
			}
		}
		c.Bars[best].Best = c.Bars[best].Known
		list = append(list, c)
	}
	return list
}
