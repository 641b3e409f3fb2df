package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// streams are what a command reads and writes; tests give their own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// errInterrupted ends a command that was told to stop and has saved its work.
var errInterrupted = errors.New("interrupted")

// usageError is a mistake in the command line rather than in what it names.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, values ...any) error { return &usageError{fmt.Errorf(format, values...)} }

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "atoll",
		Short: "Train GPT-2 and turn it into a text classifier",
		Long: "atoll prepares text, pretrains GPT-2 on it, fine-tunes a classifier, evaluates it, classifies new text and serves it.\n" +
			"See the whole path on built-in data: atoll demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q%s: see atoll --help for the commands", args[0], meantCommand(c, args[0]))
			}
			return c.Help()
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s: %w%s; see %s --help", c.CommandPath(), err, meantFlag(c, err), c.CommandPath())
	})
	for _, c := range commands(s) {
		c.Flags().SortFlags = false
		root.AddCommand(c)
	}
	return root
}

func commands(s streams) []*cobra.Command {
	return []*cobra.Command{
		newDemo(s), newPrepare(s), newPretrain(s), newFinetune(s), newEvaluate(s), newClassify(s), newGenerate(s), newServe(s),
		newTokenize(s), newExport(s), newVerify(s), newInspect(s), newBench(s), newVersion(s),
	}
}

// exactly is cobra.ExactArgs with an error that counts as wrong usage and says what is wanted.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s: %d arguments, want %d (%s); see %s --help", c.CommandPath(), len(args), n, what, c.CommandPath())
		}
		return nil
	}
}

// withConfig adds --config: a YAML file that sets flags by their names; a flag on the command line wins.
func withConfig(c *cobra.Command) {
	path := c.Flags().String("config", "", "YAML file that sets flags by name (a run's settings.yaml is one); flags given here win")
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if *path != "" {
			if err := applyConfig(c.Flags(), *path); err != nil {
				return err
			}
		}
		return run(c, args)
	}
}

// applyConfig sets every flag that the file names and the command line did not. A length on the command line replaces the
// file's, whichever of the flags that give one it is.
func applyConfig(flags *pflag.FlagSet, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	long := slices.ContainsFunc(lengths, flags.Changed)
	for name, value := range settings {
		flag := flags.Lookup(name)
		if flag == nil || name == "config" {
			return usage("%s: %q is not a flag of this command%s", path, name, meant(name, "", flagNames(flags)))
		}
		if flag.Changed || long && slices.Contains(lengths, name) {
			continue
		}
		if err := setFlag(flags, name, value); err != nil {
			return usage("%s: %s: %w", path, name, err)
		}
	}
	return nil
}

func setFlag(flags *pflag.FlagSet, name string, value any) error {
	if list, ok := value.([]any); ok {
		for _, v := range list {
			if err := flags.Set(name, fmt.Sprint(v)); err != nil {
				return err
			}
		}
		return nil
	}
	return flags.Set(name, fmt.Sprint(value))
}

// writeJSON writes one document for --json.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
