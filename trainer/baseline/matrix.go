package baseline

import (
	"context"
	"math"
)

// matrix holds the training documents as sparse rows and as sparse columns: the
// products with the weights go by rows, the gradients by columns, so that each
// output element has one writer and the bits do not depend on the threads.
//
// A feature that occurs in one document only has no column of its own. All such
// features of a document share one column whose value is the length of their
// part of the row. The ridge penalty and the scores do not change under a
// rotation among them, so the optimum is the same; most word pairs occur once,
// so this shrinks the problem three to five times.
type matrix struct {
	rows, columns int
	rowStart      []int
	rowColumn     []int32
	rowValue      []float32
	columnStart   []int
	columnRow     []int32
	columnValue   []float32

	column []int32   // by feature: its column
	scale  []float32 // by feature: its weight is the column's times this (1 if not merged)
}

// buildMatrix vectorizes the training texts.
func buildMatrix(ctx context.Context, texts []string, v *vocabulary) (*matrix, error) {
	m := &matrix{rows: len(texts), rowStart: make([]int, 1, len(texts)+1)}
	m.numberShared(v)
	z := newVectorizer(v)
	var ids []int32
	var values []float64
	for i, text := range texts {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ids, values = z.row(text, ids[:0], values[:0])
		m.addRow(ids, values, v.df)
	}
	m.transpose()
	return m, nil
}

// numberShared gives a column to each feature of two or more documents.
func (m *matrix) numberShared(v *vocabulary) {
	m.column = make([]int32, len(v.df))
	m.scale = make([]float32, len(v.df))
	for f, df := range v.df {
		if df > 1 {
			m.column[f], m.scale[f] = int32(m.columns), 1
			m.columns++
		}
	}
}

func (m *matrix) addRow(ids []int32, values []float64, df []int32) {
	lone := 0.0
	for i, f := range ids {
		if df[f] > 1 {
			m.rowColumn = append(m.rowColumn, m.column[f])
			m.rowValue = append(m.rowValue, float32(values[i]))
		} else {
			lone += values[i] * values[i]
		}
	}
	if lone > 0 {
		length := math.Sqrt(lone)
		for i, f := range ids {
			if df[f] <= 1 {
				m.column[f], m.scale[f] = int32(m.columns), float32(values[i]/length)
			}
		}
		m.rowColumn = append(m.rowColumn, int32(m.columns))
		m.rowValue = append(m.rowValue, float32(length))
		m.columns++
	}
	m.rowStart = append(m.rowStart, len(m.rowColumn))
}

func (m *matrix) transpose() {
	m.columnStart = make([]int, m.columns+1)
	for _, c := range m.rowColumn {
		m.columnStart[c+1]++
	}
	for c := range m.columns {
		m.columnStart[c+1] += m.columnStart[c]
	}
	m.columnRow = make([]int32, len(m.rowColumn))
	m.columnValue = make([]float32, len(m.rowColumn))
	next := append([]int(nil), m.columnStart...)
	for r := range m.rows {
		for i := m.rowStart[r]; i < m.rowStart[r+1]; i++ {
			at := next[m.rowColumn[i]]
			next[m.rowColumn[i]]++
			m.columnRow[at], m.columnValue[at] = int32(r), m.rowValue[i]
		}
	}
}

// multiply sets out [rows, k] to matrix x w [columns, k] + the bias, the last k
// elements of w.
func (m *matrix) multiply(w []float64, k, threads int, out []float64) {
	bias := w[m.columns*k:]
	parallel(m.rows, threads, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			z := out[r*k : r*k+k]
			copy(z, bias)
			for i := m.rowStart[r]; i < m.rowStart[r+1]; i++ {
				x, c := float64(m.rowValue[i]), int(m.rowColumn[i])*k
				row := w[c : c+k][:len(z)]
				for j, u := range row {
					z[j] += x * u
				}
			}
		}
	})
}

// multiplyTransposed sets out [columns+1, k] to matrix^T x residual [rows, k];
// the last row of out is the sum over documents, the bias's gradient.
func (m *matrix) multiplyTransposed(residual []float64, k, threads int, out []float64) {
	parallel(m.columns, threads, func(lo, hi int) {
		for c := lo; c < hi; c++ {
			g := out[c*k : c*k+k]
			clear(g)
			for i := m.columnStart[c]; i < m.columnStart[c+1]; i++ {
				x, r := float64(m.columnValue[i]), int(m.columnRow[i])*k
				row := residual[r : r+k][:len(g)]
				for j, u := range row {
					g[j] += x * u
				}
			}
		}
	})
	bias := out[m.columns*k:]
	clear(bias)
	for i, u := range residual {
		bias[i%k] += u
	}
}
