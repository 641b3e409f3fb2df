package metric

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// Number is a float64 that JSON can hold: NaN and infinities are written as
// null and read back as NaN.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%s is not a number", text)
	}
	*n = Number(f)
	return nil
}

// Record is one line of a run log. The first eight fields are on every line,
// null where there is no number; the others where they were measured.
type Record struct {
	Step            int64  `json:"step"`
	Tokens          int64  `json:"tokens"` // trained on since the run began
	Split           string `json:"split"`  // train, valid or test
	Loss            Number `json:"loss"`   // nats a token, or a document
	LearningRate    Number `json:"learning_rate"`
	GradNorm        Number `json:"grad_norm"` // before clipping
	TokensPerSecond Number `json:"tokens_per_second"`
	Seconds         Number `json:"seconds"` // of training since the run began

	Perplexity *Number `json:"perplexity,omitempty"`
	Accuracy   *Number `json:"accuracy,omitempty"`
	MacroF1    *Number `json:"macro_f1,omitempty"`
	MicroF1    *Number `json:"micro_f1,omitempty"`
	PeakShare  *Number `json:"peak_share,omitempty"` // of the machine's peak, 0 to 1
}

// maxRecord bounds a line of a run log, in bytes.
const maxRecord = 1 << 20

// Log appends records to a file, each in one write, so that a reader or a crash
// meets at most one torn line, the last.
type Log struct {
	file *os.File
}

// CreateLog makes the run log at path; it refuses an existing file.
func CreateLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists already: resume the run, or remove it to start anew", path)
	}
	if err != nil {
		return nil, fmt.Errorf("create run log: %w", err)
	}
	return &Log{file}, nil
}

// ResumeLog opens the run log at path to go on after the given step: lines of
// later steps and a torn last line are removed, lines kept stay byte for byte.
// A file that does not exist is made. A damaged line elsewhere is an error
// naming it, and the file stays as it was.
func ResumeLog(path string, step int64) (*Log, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return CreateLog(path)
	}
	if err != nil {
		return nil, fmt.Errorf("resume run log: %w", err)
	}
	var kept bytes.Buffer
	err = scanLog(bytes.NewReader(content), func(line []byte, r Record) {
		if r.Step <= step {
			kept.Write(line)
			kept.WriteByte('\n')
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	if !bytes.Equal(kept.Bytes(), content) {
		if err := replaceFile(path, kept.Bytes()); err != nil {
			return nil, fmt.Errorf("shorten run log to step %d: %w", step, err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("resume run log: %w", err)
	}
	return &Log{file}, nil
}

// Append writes one record.
func (l *Log) Append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("run log: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("run log: %w", err)
	}
	return nil
}

// Sync asks the system to bring what was appended to disk, for use when a
// checkpoint is saved.
func (l *Log) Sync() error { return l.file.Sync() }

// Close syncs and closes the file.
func (l *Log) Close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

// ReadLog reads the run log at path. A torn last line, as a running or killed
// process leaves it, is left out; any other damage is an error naming its line.
func ReadLog(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read run log: %w", err)
	}
	defer file.Close()
	var records []Record
	err = scanLog(file, func(_ []byte, r Record) { records = append(records, r) })
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return records, nil
}

// scanLog calls keep for each line, without its newline. Errors begin with the
// line's number.
func scanLog(r io.Reader, keep func(line []byte, r Record)) error {
	reader := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, whole, err := readLine(reader)
		if err != nil {
			return fmt.Errorf("%d: %w", number, err)
		}
		if len(line) == 0 && !whole {
			return nil
		}
		record, err := parseRecord(line)
		if err != nil && !whole {
			return nil // torn: the writer was stopped inside it
		}
		if err != nil {
			return fmt.Errorf("%d: %w: mend or remove that line", number, err)
		}
		keep(line, record)
		if !whole {
			return nil
		}
	}
}

// readLine returns the next line without its newline; whole is false where the
// file ended before one.
func readLine(reader *bufio.Reader) (line []byte, whole bool, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxRecord:
			return nil, false, fmt.Errorf("line of more than %d bytes, want one JSON object of a few hundred: is this a run log?", maxRecord)
		case err == nil:
			return line[:len(line)-1], true, nil
		case err == io.EOF:
			return line, false, nil
		case err != bufio.ErrBufferFull:
			return nil, false, err
		}
	}
}

func parseRecord(line []byte) (Record, error) {
	// The embedded pointers tell a missing field from a zero.
	var found struct {
		Record
		Step  *int64  `json:"step"`
		Split *string `json:"split"`
	}
	if err := json.Unmarshal(line, &found); err != nil {
		return Record{}, fmt.Errorf("not a record of a run log (%w)", err)
	}
	if found.Step == nil || found.Split == nil {
		return Record{}, errors.New("not a record of a run log (no step or no split)")
	}
	r := found.Record
	r.Step, r.Split = *found.Step, *found.Split
	return r, nil
}

// replaceFile puts content in path's place so that a crash leaves the old or
// the new file.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
