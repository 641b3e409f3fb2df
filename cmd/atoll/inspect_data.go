package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"atoll/trainer/data"
)

func newInspectData(s streams) *cobra.Command {
	var asJSON, verify bool
	c := &cobra.Command{
		Use:     "data DATA",
		Short:   "Splits, labels, tokenizer and sources of a data directory",
		Long:    "Opens a data directory, which checks the sizes, headers and tables of all files, and prints what dataset.json says.",
		Example: "  atoll inspect data data/sms --verify\n  atoll inspect data data/sms --json",
		Args:    exactly(1, "a data directory, as written by atoll prepare"),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			d, err := data.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			if verify {
				if err := d.Verify(); err != nil {
					return err
				}
				fmt.Fprintf(s.err, "all %d files have their checksums\n", len(d.Manifest.Files))
			}
			if asJSON {
				return writeJSON(s.out, d.Manifest)
			}
			printDataset(s.out, args[0], d.Manifest)
			return nil
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "read every file and hold it against its checksum")
	c.Flags().BoolVar(&asJSON, "json", false, "print dataset.json")
	return c
}

func printDataset(w io.Writer, dir string, m *data.Manifest) {
	fmt.Fprintf(w, "directory   %s, version %d\n", dir, m.Version)
	fmt.Fprintf(w, "task        %s\n", m.Task)
	fmt.Fprintf(w, "tokenizer   %s, %d tokens, stored as %s\n", m.Tokenizer.Name, m.Tokenizer.VocabularySize, m.TokenType)
	fmt.Fprintf(w, "split       %s by %s, seed %d\n", m.Split, m.SplitBy, m.Seed)
	for _, name := range []string{"train", "valid", "test"} {
		split := m.Splits[name]
		if split == nil {
			continue
		}
		fmt.Fprintf(w, "%-11s %d documents, %d tokens; length: median %d, 90%% %d, 99%% %d, longest %d\n", name, split.Documents,
			split.Tokens, split.Length.Median, split.Length.P90, split.Length.P99, split.Length.Longest)
		for _, label := range m.Labels {
			fmt.Fprintf(w, "            %8d %s\n", split.LabelCounts[label], label)
		}
	}
	for _, source := range m.Sources {
		fmt.Fprintf(w, "source      %s (%s), %s\n", source.Path, source.For, showBytes(source.Bytes))
	}
	if m.BadRows.Rows > 0 {
		fmt.Fprintf(w, "left out    %v\n", &m.BadRows)
	}
	for _, note := range m.Notes {
		fmt.Fprintf(w, "note        %s\n", note)
	}
	files := map[string]int64{}
	for name, info := range m.Files {
		files[name] = info.Bytes
	}
	printFiles(w, files)
}

func printFiles(w io.Writer, files map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(w, "file        %-28s %s\n", name, showBytes(files[name]))
	}
}
