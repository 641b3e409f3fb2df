package metric

// TrainingFLOPs is the floating-point operations a GPT-2 training step needs
// for each token, forward and backward: 6 for each weight of a matrix product
// (the language head's V x C among them, embeddings not), and causal attention
// at half of its T x T products. Recomputation, element-wise work and the
// optimizer do not count, so the share of the peak is what the step achieves,
// not what it spends.
//
// Per layer the products hold 12 C^2 weights (3 C^2 attention in, C^2 out, 8 C^2
// in the two of the MLP); scores and weighted sums are 4 T C operations forward,
// three times that with the backward pass, half of it under the causal mask.
func TrainingFLOPs(layers, width, vocabulary, sequence int) float64 {
	l, c, v, t := float64(layers), float64(width), float64(vocabulary), float64(sequence)
	return 6*(12*l*c*c+v*c) + 6*l*t*c
}

// PeakShare is the share of peak (operations a second) that a rate of tokens a
// second uses, 0 where the peak is not known.
func PeakShare(tokensPerSecond, flopsPerToken, peak float64) float64 {
	if !(peak > 0) {
		return 0
	}
	return tokensPerSecond * flopsPerToken / peak
}
