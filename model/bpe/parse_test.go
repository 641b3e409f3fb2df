package bpe

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/atoll.json again")

// The .json files were written by Hugging Face tokenizers, the .jsonl files hold what it encodes with them:
// make_huggingface.py (0.23.3, rules as pairs) and make_legacy.py (0.13.3, rules as "a b").
func TestParseEqualsHuggingFace(t *testing.T) {
	for _, name := range []string{"english", "chinese", "legacy"} {
		tok, err := Load("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range readReferences(t, "testdata/"+name+".jsonl") {
			if got := tok.EncodeWithSpecial(nil, r.Text); !slices.Equal(got, r.IDs) {
				t.Errorf("%s: EncodeWithSpecial(%q)\n got %v\nwant %v", name, r.Text, got, r.IDs)
			}
			if got, err := tok.Decode(nil, r.IDs); err != nil || string(got) != r.Text {
				t.Errorf("%s: Decode = %q, %v, want %q", name, got, err, r.Text)
			}
		}
	}
}

// make_huggingface.py loads the same file into Hugging Face and compares the ids.
func TestMarshalJSON(t *testing.T) {
	tok, err := Load("testdata/english.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := tok.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/atoll.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/atoll.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("MarshalJSON differs from testdata/atoll.json: run go test -update, then make_huggingface.py")
	}
}

func TestSaveLoad(t *testing.T) {
	legacy, err := Load("testdata/legacy.json")
	if err != nil {
		t.Fatal(err)
	}
	tokens := append(slices.Clone(legacy.tokens), "two words, é")
	added := append(slices.Clone(legacy.added), addedToken{int32(len(legacy.tokens)), "two words, é", false})
	more := newTokenizer(tokens, legacy.rules, added, legacy.eot)
	for name, tok := range map[string]*Tokenizer{"gpt2": GPT2(), "bytes": Bytes(), "legacy": legacy, "more": more} {
		dir := filepath.Join(t.TempDir(), "new", name)
		if err := tok.Save(dir); err != nil {
			t.Fatal(err)
		}
		got, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.tokens, tok.tokens) || !slices.Equal(got.rules, tok.rules) ||
			!slices.Equal(got.added, tok.added) || got.eot != tok.eot || got.bytes != tok.bytes {
			t.Errorf("%s: what was loaded differs from what was saved", name)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("%s: Save left %v behind", name, left)
		}
	}
}

// Hugging Face looks an added token up in model.vocab by its content, not by its bytes in the byte-level alphabet.
func TestMarshalJSONWritesAddedTokensAsTheyAre(t *testing.T) {
	b := Bytes()
	added := append(slices.Clone(b.added), addedToken{257, "two words, é", true})
	data, err := newTokenizer(append(slices.Clone(b.tokens), "two words, é"), nil, added, 256).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if want := `"two words, é": 257`; !bytes.Contains(data, []byte(want)) {
		t.Errorf("the vocabulary written lacks %s", want)
	}
}

func TestSaveReportsUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Bytes().Save(file); err == nil || !strings.Contains(err.Error(), "name a directory that can be written") {
		t.Errorf("Save over a file: %v", err)
	}
}

// A directory as GPT-2's were before tokenizer.json: encoder.json and vocab.bpe under the names that Transformers uses.
func TestLoadVocabAndMerges(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "vocab.json", encoderJSON(t))
	writeFile(t, dir, "merges.txt", strings.ReplaceAll(vocabBPE(), "\n", "\r\n"))
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := GPT2()
	if !slices.Equal(got.tokens, want.tokens) || !slices.Equal(got.rules, want.rules) ||
		!slices.Equal(got.added, want.added) || got.eot != want.eot {
		t.Error("the tokenizer loaded from vocab.json and merges.txt is not GPT2()")
	}
}

func TestLoadReadsEndOfText(t *testing.T) {
	data, err := os.ReadFile("testdata/legacy.json")
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]int32{
		`{}`:                                 1,
		`{"eos_token": null}`:                1,
		`{"eos_token": "<pad>"}`:             0,
		`{"eos_token": {"content":"<pad>"}}`: 0,
		`{"eos_token": "!"}`:                 2,
	} {
		dir := t.TempDir()
		writeFile(t, dir, "tokenizer.json", string(data))
		writeFile(t, dir, "tokenizer_config.json", config)
		tok, err := Load(dir)
		if err != nil {
			t.Errorf("%s: %v", config, err)
		} else if tok.EndOfText() != want {
			t.Errorf("%s: EndOfText %d, want %d", config, tok.EndOfText(), want)
		}
	}
}

func TestLoadReportsBadDirectory(t *testing.T) {
	tokenizer, err := Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{nil, "holds neither tokenizer.json nor vocab.json with merges.txt"},
		{map[string]string{"vocab.json": "{}"}, "both are needed"},
		{map[string]string{"vocab.json": "[]", "merges.txt": ""}, "vocab.json: json: cannot unmarshal array"},
		{map[string]string{"vocab.json": "{}", "merges.txt": ""}, "holds none of the 256 bytes"},
		{map[string]string{"vocab.json": "{}", "merges.txt": "#version: 0.2\na b\na b c\n"}, `merges.txt:3: "a b c" has 3 parts`},
		{map[string]string{"tokenizer.json": "{"}, "tokenizer.json: not a tokenizer.json"},
		{map[string]string{"tokenizer.json": string(tokenizer), "tokenizer_config.json": "x"}, "tokenizer_config.json: not a"},
		{map[string]string{"tokenizer.json": string(tokenizer), "tokenizer_config.json": `{"eos_token":3}`}, "eos_token is 3, want a string"},
		{map[string]string{"tokenizer.json": string(tokenizer), "tokenizer_config.json": `{"eos_token":"</s>"}`}, `no token "</s>" to separate documents`},
	} {
		dir := t.TempDir()
		for name, text := range c.files {
			writeFile(t, dir, name, text)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Load of %v: %v, want %q", c.files, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("Load of nothing: %v", err)
	}
}

// Each case changes one part of a tokenizer.json that is read without error.
func TestParseRefuses(t *testing.T) {
	data, err := Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, value, want string }{
		{"version", `"2.0"`, `version "2.0", want "1.0"`},
		{"model", `{"type":"WordPiece","vocab":{}}`, `model type "WordPiece", want BPE`},
		{"model", `{"type":"Unigram","vocab":[["a",0.5]]}`, "not a tokenizer.json"},
		{"model", `{"type":"BPE"}`, "model.vocab is missing"},
		{"model.dropout", `0.1`, "model.dropout 0.1, want null"},
		{"model.byte_fallback", `true`, "byte_fallback true"},
		{"model.ignore_merges", `true`, "ignore_merges true"},
		{"model.end_of_word_suffix", `"</w>"`, `end_of_word_suffix "</w>"`},
		{"model.vocab", `{"a":0}`, `lacks 255 of the 256 bytes (the first is 0x00, written "Ā")`},
		{"model.vocab.a b", `300`, `model.vocab has "a b", which is not written in the byte-level alphabet`},
		{"model.vocab.", `300`, `model.vocab has ""`},
		{"model.vocab.ab", `7`, "have the same id 7"},
		{"model.vocab.ab", `-1`, `"ab" has id -1, want 0 to 2097151`},
		{"model.vocab.ab", `2097152`, `"ab" has id 2097152, want 0 to 2097151`},
		{"model.merges", `["a b c"]`, `merge rule "a b c" has 3 parts, want 2`},
		{"model.merges", `[["a"]]`, `merge rule ["a"] has 1 parts, want 2`},
		{"model.merges", `[7]`, "not a tokenizer.json"},
		{"model.merges", `["a b"]`, `merge rule 0, "a" "b", needs the token "ab"`},
		{"model.merges", `[["","a"]]`, `needs the token ""`},
		{"normalizer", `{"type":"NFC"}`, `normalizer "NFC", want null`},
		{"pre_tokenizer", `null`, "pre_tokenizer null, want ByteLevel"},
		{"pre_tokenizer", `{"type":"Whitespace"}`, `pre_tokenizer "Whitespace", want ByteLevel`},
		{"pre_tokenizer.add_prefix_space", `true`, "add_prefix_space true"},
		{"pre_tokenizer.use_regex", `false`, "use_regex false"},
		{"post_processor", `{"type":"TemplateProcessing"}`, `post_processor "TemplateProcessing"`},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]}`, "adds tokens"},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}]}`, ""},
		{"decoder", `{"type":"WordPiece"}`, `decoder "WordPiece"`},
		{"added_tokens", `[]`, ""}, // the vocabulary has it still
		{"added_tokens", `[{"id":5,"content":"<|endoftext|>"}]`, "has id 5, but 256 in model.vocab"},
		{"added_tokens", `[{"id":300,"content":"x "},{"id":301,"content":"x "}]`, `"x " is there twice`},
		{"added_tokens", `[{"id":0,"content":"Ā"}]`, `"Ā" means the bytes "\x00" in model.vocab`},
		{"added_tokens", `[{"id":97,"content":"a"}]`, ""},
		{"added_tokens", `[{"id":300,"content":""}]`, "is empty"},
		{"added_tokens", `[{"id":3000000,"content":"x "}]`, `"x " has id 3000000`},
		{"added_tokens", `[{"id":7,"content":"x "}]`, "have the same id 7"},
		{"added_tokens", `[{"id":300,"content":"x ","lstrip":true}]`, "lstrip true"},
	} {
		_, err := Parse("x/tokenizer.json", with(t, data, c.path, c.value))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s = %s: %v, want no error", c.path, c.value, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x/tokenizer.json: ")):
			t.Errorf("%s = %s: %v, want %q", c.path, c.value, err, c.want)
		}
	}
}

// with sets one field of a JSON document, given by its path.
func with(t *testing.T, data []byte, path, value string) []byte {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	first, rest, deeper := strings.Cut(path, ".")
	object[first] = json.RawMessage(value)
	if deeper {
		var before map[string]json.RawMessage
		if err := json.Unmarshal(data, &before); err != nil {
			t.Fatal(err)
		}
		object[first] = with(t, before[first], rest, value)
	}
	changed, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// A file with a gap between its ids is read; the gap is no token.
func TestParseKeepsGaps(t *testing.T) {
	data, err := Bytes().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse("x", with(t, data, "model.vocab.ab", "300"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := tok.Token(299); ok || tok.VocabSize() != 301 {
		t.Errorf("token 299 is there %t, VocabSize %d, want false, 301", ok, tok.VocabSize())
	}
	if _, err := tok.Decode(nil, []int32{299}); err == nil {
		t.Error("Decode of an id in the gap gave no error")
	}
}

// An input stays small, and so is mutated quickly, as "bytes":0 in it stands for the 256 bytes with ids 0 to 255.
func FuzzTokenizerJSON(f *testing.F) {
	byteVocab, _, err := newTokenizer(Bytes().tokens[:256], nil, nil, 0).writeVocab()
	if err != nil {
		f.Fatal(err)
	}
	for _, model := range []string{
		`{"type":"BPE","vocab":{"bytes":0,"<|endoftext|>":256,"To":257},"merges":["T o"]}`,
		`{"vocab":{"bytes":0,"<|endoftext|>":300,"ĠĠ":257,"ĠĠĠ":258},"merges":[["Ġ","Ġ"],["ĠĠ","Ġ"]]}`,
		`{"vocab":{"a":1},"merges":["a a"]}`,
	} {
		f.Add([]byte(`{"version":"1.0","added_tokens":[{"id":301,"content":"be,"}],"pre_tokenizer":{"type":"ByteLevel"},"model":` + model + `}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Replace(data, []byte(`"bytes":0`), bytes.Trim(byteVocab, "{}"), 1)
		tok, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		const text = "To be, or not to be   \xff中文 <|endoftext|>"
		ids := tok.EncodeWithSpecial(tok.Encode(nil, text), text)
		if got, err := tok.Decode(nil, ids); err != nil || string(got) != text+text {
			t.Fatalf("%q twice came back as %q, %v", text, got, err)
		}
		written, err := tok.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse("again", written, tok.tokens[tok.eot])
		if err != nil {
			t.Fatal(err)
		}
		if got := again.EncodeWithSpecial(again.Encode(nil, text), text); !slices.Equal(got, ids) {
			t.Fatalf("encoded as %v, written and read as %v", ids, got)
		}
	})
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
