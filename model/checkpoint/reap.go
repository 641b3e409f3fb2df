package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
)

// Reap deletes the complete checkpoints of a checkpoints folder but the newest keep, and returns the names of those it
// deleted. What `best` and `latest` point to stays, and so does a damaged checkpoint, which someone may want to mend.
// keep below 1 deletes nothing.
func Reap(dir string, keep int) ([]string, error) { return realDisk().reap(dir, keep) }

func (d disk) reap(dir string, keep int) ([]string, error) {
	if keep < 1 {
		return nil, nil
	}
	found, err := candidates(dir)
	if err != nil {
		return nil, err
	}
	protected := map[string]bool{}
	for _, which := range []Which{Best, Newest} {
		name, err := pointed(dir, which)
		if err != nil {
			return nil, err
		}
		protected[name] = true
	}
	var removed []string
	for _, c := range found {
		if c.replaced || complete(c.path) != nil {
			continue
		}
		name := filepath.Base(c.path)
		if keep--; keep >= 0 || protected[name] {
			continue
		}
		if err := d.remove(dir, name); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}

// remove renames the checkpoint before it deletes it, so that a kill leaves no half of one under its name.
func (d disk) remove(dir, name string) error {
	hidden := filepath.Join(dir, removingPrefix+name)
	if err := d.rename(filepath.Join(dir, name), hidden); err != nil {
		return fmt.Errorf("old checkpoint not deleted: %w: delete it by hand", err)
	}
	if err := os.RemoveAll(hidden); err != nil {
		return fmt.Errorf("old checkpoint not deleted: %w: delete it by hand", err)
	}
	return nil
}
