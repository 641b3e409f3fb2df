package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"atoll/kernels"
	"atoll/kernels/cuda"
	"atoll/kernels/selftest"
)

// openGPU starts a GPU without the kernels that its self-test finds wrong; notes is told of each.
func openGPU(index int, notes io.Writer) (*cuda.Device, selftest.Verdict, error) {
	d, err := cuda.Open(index)
	if err != nil {
		return nil, selftest.Verdict{}, err
	}
	info := d.Info()
	products, err := d.Products() // by a library that may be another one tomorrow
	var verdict selftest.Verdict
	if err == nil {
		id := selftest.Identity{Device: info.Name, Driver: info.Driver, Products: products, Build: buildID()}
		verdict, err = selftest.Run(d, id, verdictFile())
	}
	if err != nil {
		return nil, verdict, errors.Join(err, d.Close())
	}
	for k := range kernels.Count {
		if problem := verdict.Problem(k); problem != "" {
			d.Withhold(k, "it failed its self-test: "+problem)
			fmt.Fprintf(notes, "atoll: warning: %s, %s: kernel %v is not used, since it failed its self-test: %s\n", d.Name(), info.Name, k, problem)
		}
	}
	return d, verdict, nil
}

// wholeGPU opens the first GPU, if it has every kernel.
func wholeGPU(notes io.Writer) (*cuda.Device, error) {
	d, _, err := openGPU(0, notes)
	if err != nil {
		return nil, err
	}
	if lacks := lacking(d); lacks != "" {
		return nil, errors.Join(fmt.Errorf("%s lacks %s", d.Name(), lacks), d.Close())
	}
	return d, nil
}

// lacking names the kernels that a GPU does not have.
func lacking(d *cuda.Device) string {
	var names []string
	for k := range kernels.Count {
		if !d.Has(k) && !kernels.HostOnly(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, ", ")
}

// verdictFile is where self-tests are remembered; empty on a system that has no place for it.
func verdictFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "atoll", "selftest.json")
}

// buildID is the Go build ID of this program, which changes with everything that it is made of; empty where it has none.
func buildID() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	file, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	section := file.Section(".note.go.buildid")
	if section == nil {
		return ""
	}
	note, err := section.Data()
	if err != nil {
		return ""
	}
	// An ELF note: lengths of name and text, type, the name "Go\0\0", the text.
	const head = 16
	if len(note) <= head || !bytes.HasPrefix(note[head-4:], []byte("Go\x00\x00")) {
		return ""
	}
	return strings.TrimRight(string(note[head:]), "\x00")
}
