package bpe

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// reference is one line of testdata/encoded.jsonl: a text and the ids that tiktoken and Hugging Face tokenizers agree
// on, special tokens allowed.
type reference struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

func readReferences(t testing.TB, name string) []reference {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []reference
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r reference
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGPT2EqualsReference(t *testing.T) {
	all := readReferences(t, "testdata/encoded.jsonl")
	if len(all) != 466 {
		t.Fatalf("%d texts, want 466", len(all))
	}
	for _, r := range all {
		for pass := range 3 { // the second pass fills the cache, the third reads it
			if got := GPT2().EncodeWithSpecial(nil, r.Text); !slices.Equal(got, r.IDs) {
				t.Errorf("pass %d: EncodeWithSpecial(%q)\n got %v\nwant %v", pass, r.Text, got, r.IDs)
			}
		}
		if got, err := GPT2().Decode(nil, r.IDs); err != nil || string(got) != r.Text {
			t.Errorf("Decode(%v) = %q, %v, want %q", r.IDs, got, err, r.Text)
		}
	}
}
