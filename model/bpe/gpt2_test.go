package bpe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
)

// The checksums are those that tiktoken holds the downloaded files against (tiktoken_ext/openai_public.py, gpt2).
const (
	vocabBPESum    = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
	encoderJSONSum = "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"
)

// Both files of OpenAI are rebuilt byte by byte from the built-in rules.
func TestGPT2IsOpenAIs(t *testing.T) {
	if got := sum(vocabBPE()); got != vocabBPESum {
		t.Errorf("SHA-256 of vocab.bpe rebuilt is %s, want %s", got, vocabBPESum)
	}
	if got := sum(encoderJSON(t)); got != encoderJSONSum {
		t.Errorf("SHA-256 of encoder.json rebuilt is %s, want %s", got, encoderJSONSum)
	}
}

func TestGPT2EqualsSharedEncoder(t *testing.T) {
	data, err := os.ReadFile("../../../shared/reference/gpt2-bpe/encoder.json")
	if err != nil {
		t.Skip("the shared reference is not here: ", err)
	}
	var encoder map[string]int32
	if err := json.Unmarshal(data, &encoder); err != nil {
		t.Fatal(err)
	}
	if len(encoder) != 50257 || GPT2().VocabSize() != 50257 {
		t.Fatalf("encoder.json has %d tokens, GPT2 %d, want 50257", len(encoder), GPT2().VocabSize())
	}
	for written, id := range encoder {
		want, ok := alphabet().decode(written)
		if got, _ := GPT2().Token(id); !ok || got != want {
			t.Errorf("token %d is %q, want %q", id, got, want)
		}
	}
}

func TestBytesIDsAreBytes(t *testing.T) {
	b := Bytes()
	if b.VocabSize() != 257 || b.EndOfText() != 256 {
		t.Errorf("VocabSize %d, EndOfText %d, want 257, 256", b.VocabSize(), b.EndOfText())
	}
	for i := range 256 {
		if ids := b.Encode(nil, string([]byte{byte(i)})); len(ids) != 1 || ids[0] != int32(i) {
			t.Errorf("Encode of byte %d = %v", i, ids)
		}
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// vocabBPE writes GPT-2's rules as its vocab.bpe has them.
func vocabBPE() string {
	var b strings.Builder
	b.WriteString("#version: 0.2\n")
	for _, r := range GPT2().rules {
		fmt.Fprintln(&b, alphabet().encode(GPT2().tokens[r.left]), alphabet().encode(GPT2().tokens[r.right]))
	}
	return b.String()
}

// encoderJSON writes GPT-2's vocabulary as Python's json.dumps does.
func encoderJSON(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for id, token := range GPT2().tokens {
		quoted, err := marshal(alphabet().encode(token))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(map[bool]string{true: "{", false: ", "}[id == 0])
		for _, r := range strings.TrimSpace(string(quoted)) {
			if r < 0x7F {
				b.WriteRune(r)
				continue
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", unit)
			}
		}
		fmt.Fprintf(&b, ": %d", id)
	}
	return b.String() + "}"
}
