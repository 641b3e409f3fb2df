package selftest

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// most is how many verdicts a file keeps: the latest.
const most = 32

// memory is the file: verdicts, the latest last.
type memory struct {
	Format   int       `json:"format"`
	Verdicts []Verdict `json:"verdicts"`
}

const format = 1

// read gives what a file remembers: nothing where it cannot be read or understood.
func read(file string) memory {
	var m memory
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &m) != nil || m.Format != format {
		return memory{Format: format}
	}
	return m
}

// recall is the verdict on id, without kernels where none is remembered.
func recall(file string, id Identity) Verdict {
	if id.complete() {
		for _, v := range read(file).Verdicts {
			if v.Identity == id && v.Kernels != nil {
				return v
			}
		}
	}
	return Verdict{Identity: id, Kernels: map[string]string{}}
}

func (id Identity) complete() bool {
	return id.Device != "" && id.Driver != "" && id.Products != "" && id.Build != ""
}

// remember puts a verdict in place of what the file had on its identity. The file is complete or as it was; of two processes
// that write at once, one is forgotten.
func remember(file string, v Verdict) {
	if file == "" || !v.complete() {
		return
	}
	m := memory{Format: format}
	for _, old := range read(file).Verdicts {
		if old.Identity != v.Identity {
			m.Verdicts = append(m.Verdicts, old)
		}
	}
	m.Verdicts = append(m.Verdicts, v)
	m.Verdicts = m.Verdicts[max(0, len(m.Verdicts)-most):]
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return
	}
	_ = replace(file, text) // without it the next process tests again
}

// replace writes a file by way of another one beside it.
func replace(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
