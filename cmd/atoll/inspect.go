package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newInspect(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "inspect model|data|program|devices|run",
		Short:   "Show what is in a model, a data directory, a run, a compiled program or this machine",
		Example: "  atoll inspect model runs/sms\n  atoll inspect program --model gpt2 --batch 4 --seq 64 --train --plan",
		Args:    cobra.ArbitraryArgs,
		RunE:    subcommands,
	}
	for _, sub := range []*cobra.Command{newInspectModel(s), newInspectData(s), newInspectProgram(s), newInspectDevices(s), newInspectRun(s)} {
		sub.Flags().SortFlags = false
		c.AddCommand(sub)
	}
	return c
}

// subcommands is what a command does that only groups others.
func subcommands(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s: unknown command %q%s: see %s --help for what there is", c.CommandPath(), args[0], meantCommand(c, args[0]), c.CommandPath())
	}
	return c.Help()
}

// showBytes writes a size with its binary unit.
func showBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	x, name := float64(n), ""
	for _, name = range []string{"KiB", "MiB", "GiB", "TiB"} {
		if x /= unit; x < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", x, name)
}
