package data

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Reason is why a row cannot be used; counts are kept by reason.
type Reason string

// The reasons.
const (
	InvalidUTF8   Reason = "invalid UTF-8"
	EmptyText     Reason = "empty text"
	EmptyLabel    Reason = "empty label"
	UnknownLabel  Reason = "unknown label"
	UntrainedText Reason = "label without training text"
	RaggedRow     Reason = "wrong number of columns"
	MissingField  Reason = "missing field"
	WrongType     Reason = "wrong type"
	BadQuoting    Reason = "bad quoting"
	BadJSON       Reason = "bad JSON"
	RowTooLong    Reason = "row too long"
	BinaryFile    Reason = "binary file"
	NoLabelFolder Reason = "not in a label's folder"
)

// BadRow is one row, or one file of a folder, that cannot be used. Error gives file, line, what was found and what to do.
type BadRow struct {
	File    string `json:"file"`
	Line    int64  `json:"line"` // from 1: the line a row begins in, a Parquet row; 0: the file as a whole
	Reason  Reason `json:"reason"`
	Message string `json:"message"`
}

func (b *BadRow) Error() string {
	if b.Line == 0 {
		return fmt.Sprintf("%s: %s", b.File, b.Message)
	}
	return fmt.Sprintf("%s:%d: %s", b.File, b.Line, b.Message)
}

// BadRows counts the rows that were left out and keeps the first few of each reason.
type BadRows struct {
	Policy   BadRowPolicy     `json:"policy"`
	Rows     int64            `json:"rows"`
	Counts   map[Reason]int64 `json:"counts,omitempty"`
	Examples []BadRow         `json:"examples,omitempty"` // in the order met, at most 5 of each reason
}

const badRowExamples = 5

func (b *BadRows) add(row *BadRow) {
	if b.Counts == nil {
		b.Counts = make(map[Reason]int64)
	}
	b.Rows++
	b.Counts[row.Reason]++
	if b.Counts[row.Reason] <= badRowExamples {
		b.Examples = append(b.Examples, *row)
	}
}

// String is one line such as "3 bad rows (2 empty text, 1 unknown label)".
func (b *BadRows) String() string {
	parts := make([]string, 0, len(b.Counts))
	for reason, n := range b.Counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	sort.Strings(parts)
	rows := "rows"
	if b.Rows == 1 {
		rows = "row"
	}
	return fmt.Sprintf("%d bad %s (%s)", b.Rows, rows, strings.Join(parts, ", "))
}

// BadRowsError ends an import under the policy Fail. Its text is the first bad row and the counts; Rows has more.
type BadRowsError struct{ Rows BadRows }

func (e *BadRowsError) Error() string {
	first := e.Rows.Examples[0]
	if e.Rows.Rows == 1 {
		return fmt.Sprintf("%v, or pass --on-bad-row skip", &first)
	}
	return fmt.Sprintf("%v; in all %v: mend them, or pass --on-bad-row skip", &first, &e.Rows)
}

// asBadRow tells a bad row from an error that ends the import.
func asBadRow(err error) (*BadRow, bool) {
	var row *BadRow
	ok := errors.As(err, &row)
	return row, ok
}
