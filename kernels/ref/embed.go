package ref

import "atoll/kernels"

// Embed gives out[b,t] = wte[tokens[b,t]] + wpe[start+t]. wte is [V,C], wpe is [P,C] with start+T <= P.
func Embed(out []float32, tokens []int32, wte, wpe []float32, start, B, T, C int) {
	for n := range B * T {
		token, position := int(tokens[n]), start+n%T
		for c := range C {
			out[n*C+c] = wte[token*C+c] + wpe[position*C+c]
		}
	}
}

// EmbedBackward sums the rows of dout into the rows of their tokens (dwte [V,C]) and positions (dwpe [P,C]). Without
// accumulation rows that nothing points at become 0.
func EmbedBackward(dwte, dwpe, dout []float32, tokens []int32, B, T, C int, accumulateWTE, accumulateWPE bool) {
	ofTokens := make([]float64, len(dwte))
	ofPositions := make([]float64, len(dwpe))
	for n := range B * T {
		token, position := int(tokens[n]), n%T
		for c := range C {
			ofTokens[token*C+c] += float64(dout[n*C+c])
			ofPositions[position*C+c] += float64(dout[n*C+c])
		}
	}
	putAll(dwte, ofTokens, accumulateWTE)
	putAll(dwpe, ofPositions, accumulateWPE)
}

func runEmbed(a *arguments) error {
	start, err := a.start()
	if err != nil {
		return err
	}
	if err := a.checkIndexes("token", a.int("tokens"), false, "V"); err != nil {
		return err
	}
	Embed(a.float("out"), a.int("tokens"), a.float("wte"), a.float("wpe"), start, a.dim("B"), a.dim("T"), a.dim("C"))
	return nil
}

func runEmbedBackward(a *arguments) error {
	if err := a.checkIndexes("token", a.int("tokens"), false, "V"); err != nil {
		return err
	}
	EmbedBackward(a.float("dwte"), a.float("dwpe"), a.float("dout"), a.int("tokens"), a.dim("B"), a.dim("T"), a.dim("C"),
		a.accumulate("wteMode"), a.accumulate("wpeMode"))
	return nil
}

// rowsNorm is the norm of the rows of dwte [V,C] that tokens name, or of the others.
func rowsNorm(dwte []float32, tokens []int32, C int, named bool) float32 {
	of := make([]bool, len(dwte)/max(C, 1))
	for _, token := range tokens {
		of[token] = true
	}
	var rows [][]float32
	for v := range of {
		if of[v] == named {
			rows = append(rows, dwte[v*C:(v+1)*C])
		}
	}
	return GradNorm(rows...)
}

// runEmbedBackwardNorm: what overwrites the rows, or may have been added to by another micro-batch, gives the norm of all.
func runEmbedBackwardNorm(a *arguments) error {
	if err := runEmbedBackward(a); err != nil {
		return err
	}
	a.float("norm")[0] = GradNorm(a.float("dwte"))
	if a.call.Dim("wteMode") == kernels.Accumulate {
		a.float("norm")[0] = rowsNorm(a.float("dwte"), a.int("tokens"), a.dim("C"), true)
	}
	return nil
}
