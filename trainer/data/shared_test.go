package data

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sharedData = "../../../shared/data/"

// readShared gives the lines or, for CSV, the rows of a shared file, read with the standard library alone.
func readShared(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(sharedData + path)
	if os.IsNotExist(err) {
		t.Skip("shared data is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if strings.Contains(path, ".csv") {
		r := csv.NewReader(f)
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			r = csv.NewReader(z)
		}
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var rows [][]string
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		rows = append(rows, strings.Split(scanner.Text(), "\t"))
	}
	return rows
}

// TestSharedSets imports real sets and compares every text and label of the rule every-tenth with a second reading.
func TestSharedSets(t *testing.T) {
	for _, c := range []struct {
		path        string
		o           Options
		header      bool
		text, label []int
	}{
		{"ag_news/ag_news.csv", Options{Task: Classify, Text: []string{"1", "2"}, Label: "0"}, false, []int{1, 2}, []int{0}},
		{"sms_spam/sms.tsv", Options{Task: Classify, Text: []string{"1"}, Label: "0"}, false, []int{1}, []int{0}},
		{"goemotions/dev.tsv", Options{Task: MultiLabel, Text: []string{"0"}, Label: "1"}, false, []int{0}, []int{1}},
		{"shopping_zh/train.csv.gz", Options{Task: Classify, Label: "category", OnBadRow: Skip}, true, []int{2}, []int{0}},
	} {
		t.Run(c.path, func(t *testing.T) {
			rows := readShared(t, c.path)
			if c.header {
				rows = rows[1:]
			}
			c.o.Inputs, c.o.Split = []string{sharedData + c.path}, SplitRule{EveryTenth: true}
			c.o.Out = t.TempDir() + "/out"
			d := prepare(t, c.o)
			var wantTexts, wantLabels [3][]string
			for i, row := range rows {
				s := max(i%10-7, 0)
				var parts []string
				for _, at := range c.text {
					parts = append(parts, row[at])
				}
				if text := strings.Join(parts, "\n"); strings.TrimSpace(text) != "" {
					wantTexts[s] = append(wantTexts[s], text)
					wantLabels[s] = append(wantLabels[s], inOrder(row[c.label[0]]))
				}
			}
			for s := range 3 {
				got := split(t, d, splitID(s).String())
				if !slices.Equal(texts(t, got), wantTexts[s]) || !slices.Equal(labelsOf(got), wantLabels[s]) {
					t.Errorf("%s: texts or labels differ from the second reading", got.Name())
				}
			}
		})
	}
}

// inOrder writes "27,4" as "4+27".
func inOrder(labels string) string {
	parts := strings.Split(labels, ",")
	slices.SortFunc(parts, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return strings.Join(parts, "+")
}
