package bpe

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// BenchmarkEncode measures one goroutine, BenchmarkEncodeParallel as many as there are processors, in bytes of UTF-8.
func BenchmarkEncode(b *testing.B) {
	for _, language := range []string{"english", "chinese"} {
		text := benchmarkText(b, language)
		b.Run(language, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var ids []int32
			for b.Loop() {
				ids = GPT2().Encode(ids[:0], text)
			}
		})
	}
}

func BenchmarkEncodeParallel(b *testing.B) {
	for _, language := range []string{"english", "chinese"} {
		text := benchmarkText(b, language)
		b.Run(language, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.RunParallel(func(p *testing.PB) {
				var ids []int32
				for p.Next() {
					ids = GPT2().Encode(ids[:0], text)
				}
			})
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	text := benchmarkText(b, "english")
	ids := GPT2().Encode(nil, text)
	b.SetBytes(int64(len(text)))
	var decoded []byte
	for b.Loop() {
		decoded, _ = GPT2().Decode(decoded[:0], ids)
	}
}

// BenchmarkParse reads GPT-2's vocabulary as a model directory holds it.
func BenchmarkParse(b *testing.B) {
	data, err := GPT2().MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Parse("tokenizer.json", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	text := benchmarkText(b, "english")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Train(context.Background(), Lines(strings.NewReader(text)), TrainOptions{VocabSize: 8192}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkText is shared data where it is there, or else the slice in testdata.
func benchmarkText(b *testing.B, language string) string {
	b.Helper()
	shared := map[string]string{"english": "tinyshakespeare/input.txt", "chinese": "thucnews/headlines.txt"}
	text, err := os.ReadFile("../../../shared/data/" + shared[language])
	if err != nil {
		text, err = os.ReadFile("testdata/" + language + ".txt")
	}
	if err != nil {
		b.Fatal(err)
	}
	return string(bytes.ToValidUTF8(text, nil))
}
