// Package metric turns what a training run and an evaluation produce into
// figures, files and pictures.
//
// In go losses, gradient norms, probabilities and true classes, one step or one
// document at a time; out come classification scores (as scikit-learn defines
// them, a division by zero giving 0), perplexity, the share of the machine's
// peak, the run log metrics.jsonl, TensorBoard event files, report.html and the
// progress line.
//
// Accumulators refuse values that cannot be (a class out of range, a
// probability outside 0 to 1 or NaN) with an error and stay as they were.
// Losses and other series may be NaN or infinite: every output stays well formed
// and shows that there was no number. Nothing here keeps global state; a value
// of this package serves one goroutine at a time.
package metric
