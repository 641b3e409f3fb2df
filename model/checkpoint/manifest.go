package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// The names of the files in a checkpoint.
const (
	configFile     = "config.json"
	weightsFile    = "model.safetensors"
	optimizerFile  = "optimizer.safetensors"
	generationFile = "generation_config.json"
	stateFile      = "state.json"
	manifestFile   = "manifest.json"
)

const manifestVersion = 1

// manifest lists the files of a complete checkpoint. It is written last: a directory that should have one and does not
// is incomplete.
//
// The checksum is CRC-32C. It is there against torn writes and damaged disks and copies, not against forgery; the
// processor computes it at more than 10 GB/s, so that it costs a save nothing, where SHA-256 would halve its speed.
type manifest struct {
	Version int                  `json:"version"`
	Files   map[string]fileEntry `json:"files"`
}

type fileEntry struct {
	Bytes  int64  `json:"bytes"`
	CRC32C string `json:"crc32c"` // 8 hexadecimal digits
}

func formatChecksum(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// Verify holds the files of dir against its manifest: that each is there and has its size, and with checksums also its
// checksum, which reads everything. A directory without a manifest passes if nothing in it is atoll's own: it is a
// Hugging Face one.
func Verify(dir string, checksums bool) error {
	m, err := readManifest(dir)
	if err != nil || m == nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if err := m.Files[name].verify(filepath.Join(dir, name), checksums); err != nil {
			return err
		}
	}
	return nil
}

// readManifest returns nil without an error for a directory that needs no manifest.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(dir, stateFile)); err == nil {
			return nil, fmt.Errorf("%s: got %s but no %s, want both: the checkpoint is incomplete, copy it again or use an older one", dir, stateFile, manifestFile)
		}
		return nil, nil
	}
	if err != nil {
		return nil, openError(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w: the checkpoint is damaged, copy it again or use an older one", path, err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("%s: got version %d, want %d: read it with the version of atoll that wrote it", path, m.Version, manifestVersion)
	}
	for name := range m.Files {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return nil, fmt.Errorf("%s: got file name %q, want one inside the directory: the checkpoint is damaged, copy it again", path, name)
		}
	}
	return &m, nil
}

func (e fileEntry) verify(path string, checksum bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: the checkpoint is incomplete, copy it again or use an older one", err)
	}
	if info.Size() != e.Bytes {
		return fmt.Errorf("%s: got %d bytes, want %d as %s says: the checkpoint is damaged, copy it again or use an older one; to keep an edited file, remove %s and %s",
			path, info.Size(), e.Bytes, manifestFile, manifestFile, stateFile)
	}
	if !checksum {
		return nil
	}
	got, err := checksumOf(path)
	if err != nil {
		return err
	}
	if got != e.CRC32C {
		return fmt.Errorf("%s: got CRC-32C %s, want %s as %s says: the checkpoint is damaged, copy it again or use an older one; to keep an edited file, remove %s and %s",
			path, got, e.CRC32C, manifestFile, manifestFile, stateFile)
	}
	return nil
}

func checksumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", openError(err)
	}
	defer file.Close()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{file}, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return formatChecksum(sum.Sum32()), nil
}

// stepName returns the directory name of a step; stepOf is its inverse.
func stepName(step int) string { return fmt.Sprintf("step-%08d", step) }

func stepOf(name string) (int, bool) {
	if len(name) < len("step-00000000") || name[:5] != "step-" {
		return 0, false
	}
	step, err := strconv.Atoi(name[5:])
	return step, err == nil && step >= 0 && stepName(step) == name
}
