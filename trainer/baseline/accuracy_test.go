package baseline

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// shared is the folder of data sets beside the repository.
const shared = "../../../shared/data"

// labelled is a data set with exclusive classes.
type labelled struct {
	texts  []string
	labels [][]int32
}

func (l *labelled) add(text string, class int) {
	l.texts = append(l.texts, text)
	l.labels = append(l.labels, []int32{int32(class)})
}

// training and test split by row number: 9 of every ten is the test row, 8 the
// validation row.
func (l *labelled) split() (training, test labelled) {
	for i, text := range l.texts {
		switch {
		case i%10 == 9:
			test.add(text, int(l.labels[i][0]))
		case i%10 < 8:
			training.add(text, int(l.labels[i][0]))
		}
	}
	return training, test
}

func readShared(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(shared, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not beside this checkout", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func readSMS(t *testing.T) (set labelled) {
	for line := range strings.Lines(readShared(t, "sms_spam/sms.tsv")) {
		label, text, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		class := 0
		if label == "spam" {
			class = 1
		}
		set.add(text, class)
	}
	return set
}

func readNews(t *testing.T) (set labelled) {
	rows, err := csv.NewReader(strings.NewReader(readShared(t, "ag_news/ag_news.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		class, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		set.add(row[1]+" "+row[2], class-1)
	}
	return set
}

func readHeadlines(t *testing.T) (set labelled) {
	for line := range strings.Lines(readShared(t, "thucnews/headlines.txt")) {
		at := strings.LastIndexByte(line, '\t')
		class, err := strconv.Atoi(strings.TrimSpace(line[at+1:]))
		if err != nil {
			t.Fatal(err)
		}
		set.add(line[:at], class)
	}
	return set
}

// TestAccuracyOnSharedData holds the fit against scikit-learn 1.9.1 on the same
// rows: TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), with
// analyzer="char" for the headlines, and LogisticRegression(C=10, tol=1e-6,
// max_iter=3000). With its default tol=1e-4 scikit-learn stops before the
// optimum and gets two documents more on AG News and THUCNews (0.9000, 0.8270).
func TestAccuracyOnSharedData(t *testing.T) {
	for _, c := range []struct {
		name    string
		read    func(*testing.T) labelled
		classes int
		unit    Unit
		want    float64
	}{
		{"SMS spam", readSMS, 2, Words, 0.9803},
		{"AG News", readNews, 4, Words, 0.8974},
		{"THUCNews", readHeadlines, 10, Characters, 0.8250},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := c.read(t)
			training, test := set.split()
			model, err := Fit(context.Background(), training.texts, training.labels, c.classes, Options{Tolerance: 1e-5})
			if err != nil {
				t.Fatal(err)
			}
			if model.vocabulary.unit != c.unit {
				t.Errorf("cut into %s n-grams, want %s", model.vocabulary.unit, c.unit)
			}
			right := 0
			for i, text := range test.texts {
				if argmax(model.Scores(text)) == int(test.labels[i][0]) {
					right++
				}
			}
			got := float64(right) / float64(len(test.texts))
			t.Logf("accuracy %.4f, want %.4f; %s", got, c.want, model.Describe())
			if math.Abs(got-c.want) > 1e-4 { // half a document
				t.Errorf("accuracy %.4f, want %.4f", got, c.want)
			}
		})
	}
}

func argmax(scores []float32) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}
