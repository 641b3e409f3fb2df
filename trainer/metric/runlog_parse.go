package metric

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

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
