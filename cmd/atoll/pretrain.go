package main

import (
	"github.com/spf13/cobra"

	"atoll/trainer"
)

func newPretrain(s streams) *cobra.Command {
	settings, device, asJSON := trainer.PretrainDefaults(), deviceFlags{}, false
	c := &cobra.Command{
		Use:     "pretrain --data DATA --out RUN",
		Short:   "Train a language model on prepared text",
		Example: "  atoll pretrain --data shakespeare --out runs/shakespeare --model mini --steps 2000 --seq 64 --batch 12",
		Args:    exactly(0, "flags only"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := complete(c.Flags(), &settings); err != nil {
				return err
			}
			return train(c, s, &settings, &device, asJSON, trainer.Pretrain)
		},
	}
	trainFlags(c.Flags(), &settings)
	c.Flags().IntVar(&settings.SampleTokens, "sample-tokens", settings.SampleTokens, "tokens of text written at each evaluation; 0: none")
	device.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	withConfig(c)
	return c
}
