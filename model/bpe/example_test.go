package bpe_test

import (
	"context"
	"fmt"
	"strings"

	"atoll/model/bpe"
)

func ExampleGPT2() {
	tokenizer := bpe.GPT2()
	ids := tokenizer.Encode(nil, "Hello, world!")
	text, err := tokenizer.Decode(nil, ids)
	fmt.Println(ids, string(text), err)
	// Output: [15496 11 995 0] Hello, world! <nil>
}

func ExampleTrain() {
	corpus := strings.NewReader("low lower lowest\nslow slower slowest\n")
	tokenizer, err := bpe.Train(context.Background(), bpe.Lines(corpus), bpe.TrainOptions{VocabSize: 260})
	if err != nil {
		fmt.Println(err)
		return
	}
	for id := int32(256); int(id) < tokenizer.VocabSize(); id++ {
		token, _ := tokenizer.Token(id)
		fmt.Printf("%d %q\n", id, token)
	}
	// Output:
	// 256 "lo"
	// 257 "low"
	// 258 "lowe"
	// 259 "<|endoftext|>"
}
