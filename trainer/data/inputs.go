package data

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// input is one argument of the import, a file or a folder, with the files it stands for.
type input struct {
	path   string
	use    splitID // the split its rows are for; train: Inputs, which the split rule divides
	folder bool
	files  []inputFile
	hidden int64 // files of a folder left out because their names begin with a dot
	bytes  int64
}

// inputFile is one file to read.
type inputFile struct {
	path     string
	format   Format
	label    string // the name of the sub-folder it lies in, for a labelled task
	inFolder bool
	source   int   // index of its input
	ordinal  int64 // within its input, from 1
	stray    bool  // a plain text of a labelled task outside a label's folder
	sum      [sha256.Size]byte
}

// findInputs lists every file to read: Inputs, Valid, Test, folders in lexical order.
func findInputs(o Options) ([]input, error) {
	var inputs []input
	for use, paths := range [][]string{train: o.Inputs, valid: o.Valid, test: o.Test} {
		for _, path := range paths {
			in := input{path: path, use: splitID(use)}
			info, err := os.Stat(path)
			if err != nil {
				return nil, fmt.Errorf("input %s cannot be read: %w: check the path", path, err)
			}
			if in.folder = info.IsDir(); in.folder {
				err = in.walk(o)
			} else {
				err = in.addFile(path, info, o)
			}
			if err != nil {
				return nil, err
			}
			for i := range in.files {
				in.files[i].source, in.files[i].ordinal = len(inputs), int64(i)+1
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

func (in *input) addFile(path string, info fs.FileInfo, o Options) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("input %s is not a regular file: save it to a file first", path)
	}
	if info.Size() == 0 && !in.folder {
		return fmt.Errorf("input %s is empty (0 bytes): give a file with text", path)
	}
	file := inputFile{path: path, format: o.Format}
	if file.format == "" {
		file.format = formatOf(path)
	}
	if file.format == "" {
		file.format = Text
		if !in.folder && (o.Task != LanguageModel || len(o.Text) > 0) {
			file.format = TSV
		}
	}
	if file.format == Text && o.Task != LanguageModel && !in.folder {
		return fmt.Errorf("input %s: a plain text has no label; give a CSV, TSV, JSONL or Parquet file, or a folder with a "+
			"sub-folder for each label", path)
	}
	in.files = append(in.files, file)
	in.bytes += info.Size()
	return nil
}

// walk adds the files below a folder. Under a labelled task a plain text takes the first folder below in.path as label.
func (in *input) walk(o Options) error {
	err := filepath.WalkDir(in.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != in.path
		if entry.IsDir() {
			if hidden {
				in.hidden++
				return fs.SkipDir
			}
			return nil
		}
		if hidden {
			in.hidden++
			return nil
		}
		info, err := os.Stat(path) // follows a symbolic link to a file
		if err != nil {
			return err
		}
		if err := in.addFile(path, info, o); err != nil {
			return err
		}
		in.labelByFolder(path, o.Task)
		return nil
	})
	if err != nil {
		return fmt.Errorf("folder %s: %w", in.path, err)
	}
	if len(in.files) == 0 {
		return fmt.Errorf("folder %s holds no files: give a folder with texts", in.path)
	}
	return nil
}

func (in *input) labelByFolder(path string, task Task) {
	file := &in.files[len(in.files)-1]
	file.inFolder = true
	if task == LanguageModel || file.format != Text {
		return
	}
	rel, err := filepath.Rel(in.path, path)
	if err != nil {
		rel = filepath.Base(path)
	}
	if label, _, nested := strings.Cut(filepath.ToSlash(rel), "/"); nested {
		file.label = strings.TrimSpace(label)
	} else {
		file.stray = true
	}
}
