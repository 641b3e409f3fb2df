package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// meant offers the known words that somebody who wrote word may have had in mind, to be put behind an error with the prefix of each; ""
// where there are none: those a letter or two away, those that word begins, and those that begin word (--label-column, --output).
func meant(word, prefix string, known []string) string {
	candidates := &cobra.Command{SuggestionsMinimumDistance: min(2, (len(word)+1)/3)} // cobra knows how far words are apart, and only of commands
	var likely []string
	for _, k := range known {
		candidates.AddCommand(&cobra.Command{Use: k, Run: func(*cobra.Command, []string) {}})
		if len(k) > 1 && len(word) > len(k) && strings.HasPrefix(word, k) {
			likely = append(likely, prefix+k)
		}
	}
	for _, k := range candidates.SuggestionsFor(word) {
		likely = append(likely, prefix+k)
	}
	slices.Sort(likely)
	likely = slices.Compact(likely)
	if word == "" || len(likely) == 0 || len(likely) > 4 { // more say nothing
		return ""
	}
	return " (did you mean " + strings.Join(likely, " or ") + "?)"
}

// elsewhere is what PyTorch's scripts, Transformers' trainer, nanoGPT, llm.c and servers of models call the flag name.
func elsewhere(name string) []string {
	return map[string][]string{
		"batch":      {"batch-size", "micro-batch-size", "per-device-train-batch-size"},
		"clip":       {"grad-clip", "max-grad-norm"},
		"epochs":     {"num-epochs", "num-train-epochs"},
		"eval-every": {"eval-interval", "eval-steps"},
		"from":       {"checkpoint", "init-from", "model-name-or-path"},
		"input":      {"train-file"},
		"label":      {"label-column-name"},
		"listen":     {"host", "port"},
		"lora-rank":  {"lora-r"},
		"lr":         {"learning-rate"},
		"max-tokens": {"max-new-tokens", "n-predict"},
		"min-lr":     {"min-learning-rate"},
		"out":        {"out-dir", "output-dir"},
		"precision":  {"bf16", "dtype", "fp16"},
		"save-every": {"save-interval", "save-steps"},
		"seq":        {"block-size", "context-length", "max-length", "max-seq-length", "sequence-length"},
		"steps":      {"max-iters", "max-steps", "num-iterations"},
		"test":       {"test-file"},
		"text":       {"text-column-name"},
		"valid":      {"validation-file"},
		"vocab":      {"vocab-size"},
		"warmup":     {"warmup-iters", "warmup-steps"},
	}[name]
}

// meantFlag is meant for a flag that c does not have, whatever other programs call it; "" for any other error.
func meantFlag(c *cobra.Command, err error) string {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return ""
	}
	word, known := unknown.GetSpecifiedName(), flagNames(c.Flags())
	for _, name := range known {
		if slices.Contains(elsewhere(name), strings.ReplaceAll(word, "_", "-")) {
			return " (did you mean --" + name + "?)"
		}
	}
	return meant(word, "--", known)
}

// flagNames are the names of the flags that help shows.
func flagNames(flags *pflag.FlagSet) []string {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// meantCommand is meant for a command that c does not have.
func meantCommand(c *cobra.Command, word string) string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return meant(word, "", names)
}
