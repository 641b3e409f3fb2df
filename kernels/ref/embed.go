package ref

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
