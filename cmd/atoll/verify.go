package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"atoll/kernels/ref"
	"atoll/trainer/reference"
)

func newVerify(s streams) *cobra.Command {
	device, asJSON := deviceFlags{}, false
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Hold this machine's numbers against stored reference values",
		Long: "Computes logits, loss, gradients, a greedy continuation and twelve training steps for each reference folder at or below DIR\n" +
			"and compares them with the values stored there. Exits with 1 if one is beyond its tolerance.",
		Example: "  atoll verify trainer/reference/testdata\n  atoll verify trainer/reference/testdata --precision bf16 --cpu-variant portable",
		Args:    exactly(1, "a folder with reference.safetensors in it, or one folder down"),
		RunE:    func(_ *cobra.Command, args []string) error { return verify(s, args[0], &device, asJSON) },
	}
	device.add(c.Flags())
	c.Flags().Lookup("precision").DefValue = "fp32"
	device.precision = "fp32"
	c.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return c
}

// errBeyondTolerance ends a verification whose report is printed already.
var errBeyondTolerance = errors.New("numbers beyond tolerance: see the checks marked FAIL")

func verify(s streams, dir string, f *deviceFlags, asJSON bool) error {
	dirs, err := reference.Find(dir)
	if err != nil {
		return err
	}
	device, precision, err := f.open(s.err)
	if err != nil {
		return err
	}
	defer device.Close()
	fmt.Fprintf(s.err, "%s, %s\n", device.Describe(), nameOf(precision, device))
	var reports []reference.Report
	passed := true
	for _, dir := range dirs {
		r, err := reference.Hold(dir, device, ref.New(), precision)
		if err != nil {
			return err
		}
		reports = append(reports, r)
		passed = passed && r.Passed()
		if !asJSON {
			printChecks(s, r)
		}
	}
	if asJSON {
		if err := writeJSON(s.out, reports); err != nil {
			return err
		}
	}
	if !passed {
		return errBeyondTolerance
	}
	return nil
}

func printChecks(s streams, r reference.Report) {
	for _, c := range r.Checks {
		verdict := "ok  "
		if !c.Passed() {
			verdict = "FAIL"
		}
		fmt.Fprintf(s.out, "%s %-28s error %-8.2g tolerance %-8.2g", verdict, c.Name, c.Error, c.Tolerance)
		if !c.Passed() {
			fmt.Fprintf(s.out, " worst %s", c.Worst)
		}
		fmt.Fprintln(s.out)
	}
}
