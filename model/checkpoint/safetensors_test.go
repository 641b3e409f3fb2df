package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// testdata/*.safetensors were written by Hugging Face's library; testdata/make.py says which values they hold.

func TestReadsLibraryFile(t *testing.T) {
	f := open(t, filepath.Join("testdata", "dtypes.safetensors"))
	if got := f.Metadata()["note"]; got != "größe" {
		t.Errorf("metadata note %q", got)
	}
	for _, name := range []string{"f32", "f16", "bf16"} {
		got := make([]float32, 12)
		if err := f.ReadFloat32(name, got); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if want := float32(i-5) * 0.375; v != want {
				t.Errorf("%s[%d] = %v, want %v", name, i, v, want)
			}
		}
	}
	scalar := make([]float32, 1)
	if err := f.ReadFloat32("scalar", scalar); err != nil || scalar[0] != 2.5 {
		t.Errorf("scalar %v, %v", scalar, err)
	}
	if err := f.ReadFloat32("empty", nil); err != nil {
		t.Error(err)
	}
	wide, err := f.Tensor("i64")
	if err != nil || wide.DType != I64 || !slices.Equal(wide.Shape, []int{3, 4}) {
		t.Fatalf("i64: %+v, %v", wide, err)
	}
	if got := int64(binary.LittleEndian.Uint64(wide.Data)); got != -5 {
		t.Errorf("i64[0] = %d, want -5", got)
	}
	for name, want := range map[string]string{
		"f64":  `tensor "f64": got dtype F64, want F32, F16 or BF16`,
		"none": `tensor "none" is missing`,
	} {
		if err := f.ReadFloat32(name, make([]float32, 12)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := f.ReadFloat32("f32", make([]float32, 13)); err == nil || !strings.Contains(err.Error(), "got 12 elements of shape [3 4], want 13") {
		t.Errorf("wrong length: %v", err)
	}
}

func TestWidensHalves(t *testing.T) {
	f := open(t, filepath.Join("testdata", "half.safetensors"))
	single, err := f.Tensor("single")
	if err != nil {
		t.Fatal(err)
	}
	n := single.Shape[0]
	got, want := make([]float32, n), make([]float32, n)
	if err := f.ReadFloat32("half", got); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadFloat32("single", want); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && got[i] == got[i] {
			t.Errorf("half %#04x = %v, want %v", i*13, got[i], want[i])
		}
	}
}

// TestWriteEqualsLibrary writes the library's tensors again: offsets, types, shapes and values must be as it wrote them.
func TestWriteEqualsLibrary(t *testing.T) {
	for _, name := range []string{"dtypes", "half", "old/model"} {
		want := open(t, filepath.Join("testdata", name+".safetensors"))
		got := open(t, write(t, copies(t, want)))
		if !reflect.DeepEqual(got.header.spans, want.header.spans) {
			t.Errorf("%s: wrote %v, the library %v", name, got.header.spans, want.header.spans)
		}
		if !bytes.Equal(got.data[got.header.dataAt:], want.data[want.header.dataAt:]) {
			t.Errorf("%s: wrote other values than the library", name)
		}
		if got.header.dataAt%dataAlign != 0 {
			t.Errorf("%s: values begin at %d, want a multiple of %d", name, got.header.dataAt, dataAlign)
		}
	}
}

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, tensors []Source) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteFile(&out, tensors); err != nil {
		t.Fatal(err)
	}
	return store(t, out.Bytes())
}

func store(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// copies returns the tensors of f as sources, in reverse order.
func copies(t *testing.T, f *File) []Source {
	t.Helper()
	var tensors []Source
	for _, name := range f.Names() {
		tensor, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, Bytes(name, tensor.DType, tensor.Shape, tensor.Data))
	}
	slices.Reverse(tensors)
	return tensors
}

// raw returns a file with the given header and count bytes of values.
func raw(header string, count int) []byte {
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(start, header...), make([]byte, count)...)
}

func TestHeaderRefuses(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty file", nil, "got 0 bytes"},
		{"seven bytes", make([]byte, 7), "got 7 bytes"},
		{"huge header", bytes.Repeat([]byte{255}, 64), "want at most 100000000"},
		{"header beyond the file", binary.LittleEndian.AppendUint64(nil, 99), "want 107 for the header alone"},
		{"no JSON", raw("hello", 0), "no JSON object"},
		{"a list", raw("[]", 0), "no JSON object"},
		{"cut JSON", raw("{"+a, 8), "header is damaged"},
		{"text after", raw("{"+a+"}x", 8), "goes on after"},
		{"twice", raw("{"+a+","+a+"}", 8), `tensor "a" is described twice`},
		{"unknown dtype", raw(`{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}`, 8), `got dtype "F33"`},
		{"no dtype", raw(`{"a":{"shape":[2],"data_offsets":[0,8]}}`, 8), `got dtype ""`},
		{"no shape", raw(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "want a list and a pair"},
		{"three offsets", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8), "want a list and a pair"},
		{"negative dimension", raw(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "no negative dimension"},
		{"overflowing shape", raw(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0), "fewer elements"},
		{"fraction", raw(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}`, 8), `tensor "a": json`},
		{"negative offset", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8), "got data_offsets [-8, 0]"},
		{"backward offsets", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "got data_offsets [8, 0]"},
		{"wrong length", raw(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "got 8 bytes for F32 [3], want 12"},
		{"overlap", raw("{"+a+`,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), `tensor "b" begins at 4, inside`},
		{"gap", raw("{"+a+`,"b":{"dtype":"U8","shape":[4],"data_offsets":[9,13]}}`, 13), `tensor "b" begins at 9, want 8`},
		{"out of range", raw("{"+a+"}", 7), `tensor "a" ends at 8, but the file holds 7 bytes`},
		{"bytes after", raw("{"+a+"}", 9), "got 9 bytes of values, want 8"},
		{"metadata", raw(`{"__metadata__":{"a":1},`+a+"}", 8), "want an object of strings"},
	} {
		path := store(t, test.content)
		f, err := OpenFile(path)
		if err == nil {
			f.Close()
			t.Errorf("%s: opened, want an error with %q", test.name, test.want)
		} else if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v, want %q after the path", test.name, err, test.want)
		}
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	for _, name := range []string{"dtypes", "shards/model-00001-of-00002"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(whole) {
			if _, err := parseHeader(whole[:n], int64(n)); err == nil {
				t.Errorf("%s: cut to %d of %d bytes it was accepted", name, n, len(whole))
			}
		}
		if _, err := parseHeader(append(whole, 0), int64(len(whole)+1)); err == nil {
			t.Errorf("%s: one byte longer it was accepted", name)
		}
	}
}

func TestFileCutWhileOpen(t *testing.T) {
	path := write(t, []Source{Float32("a", []int{4096}, make([]float32, 4096))})
	f := open(t, path)
	if err := os.Truncate(path, 512); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadFloat32("a", make([]float32, 4096)); err == nil || !strings.Contains(err.Error(), "cut short while in use") {
		t.Errorf("got %v, want an error", err)
	}
}

func TestOpenFileRefusesNonFiles(t *testing.T) {
	if _, err := OpenFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "want a safetensors file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("nothing: %v", err)
	}
}

func TestWriteFileRefuses(t *testing.T) {
	one := make([]float32, 1)
	for _, test := range []struct {
		name    string
		tensors []Source
		want    string
	}{
		{"twice", []Source{Float32("a", []int{1}, one), Float32("a", []int{1}, one)}, "given twice"},
		{"reserved", []Source{Float32("__metadata__", []int{1}, one)}, "reserved"},
		{"dtype", []Source{Bytes("a", "F7", []int{1}, nil)}, `got dtype "F7"`},
		{"negative", []Source{Float32("a", []int{-1}, nil)}, "no negative dimension"},
		{"too few", []Source{Float32("a", []int{2}, one)}, "got 4 bytes too few for F32 [2]"},
		{"too many", []Source{Float32("a", nil, make([]float32, 2))}, "got 4 bytes more"},
	} {
		if err := WriteFile(io.Discard, test.tensors); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// FuzzSafetensors: no file makes the reader panic, and what it accepts is written and read back unchanged.
func FuzzSafetensors(f *testing.F) {
	for _, name := range []string{"dtypes", "old/model", "shards/model-00001-of-00002"} {
		content, err := os.ReadFile(filepath.Join("testdata", name+".safetensors"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add(raw(`{"a":{"dtype":"BF16","shape":[2,0],"data_offsets":[0,0]},"b":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}  `, 2))
	f.Fuzz(func(t *testing.T, content []byte) {
		h, err := parseHeader(content, int64(len(content)))
		if err != nil {
			return
		}
		first := &File{path: "fuzz", header: h, data: content, unmap: func() error { return nil }}
		var out bytes.Buffer
		if err := WriteFile(&out, copies(t, first)); err != nil {
			t.Fatalf("an accepted file cannot be written: %v", err)
		}
		h, err = parseHeader(out.Bytes(), int64(out.Len()))
		if err != nil {
			t.Fatalf("a written file cannot be read: %v", err)
		}
		second := &File{path: "fuzz", header: h, data: out.Bytes(), unmap: first.unmap}
		if err := sameTensors(first, second); err != nil {
			t.Fatal(err)
		}
	})
}

// sameTensors compares two files tensor by tensor, and converts those that hold floats.
func sameTensors(a, b *File) error {
	if !slices.Equal(a.Names(), b.Names()) {
		return fmt.Errorf("names %q and %q", a.Names(), b.Names())
	}
	for _, name := range a.Names() {
		x, errX := a.Tensor(name)
		y, errY := b.Tensor(name)
		if errX != nil || errY != nil || !reflect.DeepEqual(x, y) {
			return fmt.Errorf("%q: %v and %v, %v, %v", name, x, y, errX, errY)
		}
		if !x.DType.float() {
			continue
		}
		if err := a.ReadFloat32(name, make([]float32, len(x.Data)/x.DType.Size())); err != nil {
			return err
		}
	}
	return nil
}
