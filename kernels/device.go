package kernels

import "fmt"

// Device runs programs. A device is used by one goroutine at a time unless its package says otherwise.
type Device interface {
	// Name is the device as the user writes it ("cpu", "cuda:0").
	Name() string
	// Describe is one line for people: model, instruction set, threads.
	Describe() string
	// NewBuffer gives zeroed memory of the device, aligned to Alignment.
	NewBuffer(bytes int64) (Buffer, error)
	// NewExchange gives zeroed memory of in+out bytes through which host and device pass what changes from run to run: its Bytes
	// is the host's side and never nil. Where the device has a side of its own, a program that holds the memory copies the first
	// in bytes to the device before its calls, and the last out bytes to the host after them, within Run.
	NewExchange(in, out int64) (Buffer, error)
	// NewProgram checks calls against the signature table and the buffers' sizes and prepares them for Run.
	NewProgram(calls []Call, segments []Buffer) (Program, error)
	// Close gives everything back. Programs and buffers of the device are dead after it.
	Close() error
}

// Stager is a Device that works by itself once a run has begun, so that the host can hand over the inputs of the next run meanwhile.
// Its programs are Starters.
type Stager interface {
	Device
	// NewStaged is NewExchange whose in bytes can be handed over before the run that reads them begins.
	NewStaged(in, out int64) (Staged, error)
}

// Staged is an exchange with room for the inputs of one run more.
type Staged interface {
	Buffer
	// Next is the host's memory for the in bytes of the next run; what it holds is of no meaning.
	Next() []byte
	// Upload begins to copy Next to the device, beside a run that may be under way, and Next is other memory then. The next run of a
	// program that holds the exchange reads these bytes instead of those in Bytes. An upload that waits for its run already is an error.
	Upload() error
}

// MemoryMeter is a Device that can tell how many bytes of its memory are free, and how many it has. The error is
// errors.ErrUnsupported where that cannot be known.
type MemoryMeter interface {
	Memory() (free, total int64, err error)
}

// Chunker is a Device that says how many bytes of logits a language head (head.loss) best computes at one time: the gradient of its
// weights is read and written once for each chunk.
type Chunker interface {
	LogitsBytes() int64
}

// Buffer is memory of a device.
type Buffer interface {
	Size() int64
	// Bytes is the memory itself where the host can reach it, else nil.
	Bytes() []byte
	// Write copies src to offset; Read copies from offset into dst. Both return an error when out of bounds.
	Write(offset int64, src []byte) error
	Read(dst []byte, offset int64) error
	Free()
}

// Lender is a device that computes on the host's memory, and so on memory that others own.
type Lender interface {
	Device
	// Lend gives a buffer over memory that programs only read, such as a file that is mapped; to write it is an error. memory stays
	// where it is, outside the Go heap, until the buffer is freed, which leaves it alone.
	Lend(memory []byte) (Buffer, error)
}

// Program is a list of calls bound to its buffers.
type Program interface {
	// Run executes the calls in order and returns when all is done. It does not allocate. A *Fault says which call failed.
	Run() error
	Free()
}

// Starter is a Program whose run can be left alone: Start begins it, and Wait returns when all of it is done. Between them the host
// writes nothing that the run reads. The error of a run is from either; without a Start, Wait gives that of the last run.
type Starter interface {
	Program
	Start() error
	Wait() error
}

// TimedProgram is a Program that can tell where its time goes.
type TimedProgram interface {
	Program
	// RunTimed is Run, and sets took[i] to the seconds between the end of call i-1, or the start, and the end of call i. took has
	// one place for each call; behind a Fault its places are as they were.
	RunTimed(took []float64) error
}

// Alignment of every buffer and of every offset the planner gives, in bytes: a cache line, and a vector of AVX-512.
const Alignment = 64

// Fault is what a kernel found wrong with its data while it ran.
type Fault struct {
	Index   int // of the call in the program
	Kernel  Kernel
	Message string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("instruction %d, %v: %s", f.Index, f.Kernel, f.Message)
}
