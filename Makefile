# What there is to make. `make` prints it; the text after ## is what is printed.

GO      ?= go
ARM64CC ?= aarch64-linux-gnu-gcc
QEMU    ?= qemu-aarch64 -L /usr/aarch64-linux-gnu
PYTHON  ?= python3

# Tools of a fixed version, built or fetched once into .tools (not into go.mod:
# they would drag their own modules into the build list).
STATICCHECK_VERSION := v0.8.2
ZIG_VERSION         := 0.15.1
STATICCHECK := .tools/staticcheck-$(STATICCHECK_VERSION)-$(shell $(GO) env GOVERSION)/staticcheck
ZIG         := .tools/ziglang-$(ZIG_VERSION)/ziglang/zig

VERSION := $(shell git describe --tags --always 2>/dev/null || echo unreleased)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Where goroutines or C threads share memory; the rest is tested without the
# race detector, which slows the numeric code down tenfold.
RACE_PACKAGES ?= ./engine ./trainer ./trainer/data ./trainer/metric ./model/bpe ./model/predict ./cmd/atoll/server
FUZZ_TIME     ?= 30s

# Without kernels/kerneltest, whose tests are about the case table itself and take as long under qemu as the kernels.
ARM64_PACKAGES := ./kernels ./kernels/cpu ./kernels/ref ./kernels/selftest

# Without cmd/atoll: Prometheus' client wants mach/mach_vm.h of Apple's SDK there.
DARWIN_PACKAGES := ./kernels/... ./engine/... ./model/... ./trainer/...

# Undefined behaviour ends the test instead of printing a line that nobody reads.
SANITIZE_CFLAGS  := -O1 -g1 -fno-omit-frame-pointer -fsanitize=undefined -fno-sanitize-recover=all
SANITIZE_LDFLAGS := -fsanitize=undefined

# CUDA: an installed toolkit that knows every target is used, else the wheels of make cuda-toolchain.
CUDA_WHEELS := nvidia-cuda-nvcc==13.5.37 nvidia-cuda-crt==13.5.37 nvidia-nvvm==13.5.37 nvidia-cuda-runtime==13.5.37 nvidia-cuda-cccl==13.3.5.0.6 \
	nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37
# Another list of wheels is another file.
TOOLCHAIN := cuda-toolchain/installed-$(shell echo '$(CUDA_WHEELS)' | cksum | cut -d' ' -f1)
# What else must compile them: the first nvcc of CUDA 13, and NVRTC and headers of CUDA 12.9.
CUDA_130_WHEELS := nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.88 nvidia-cuda-cccl==13.0.85
CUDA_129_WHEELS := nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-runtime-cu12==12.9.79 nvidia-cuda-cccl-cu12==12.9.27
CUDA_TARGETS := -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_89,code=sm_89 -gencode=arch=compute_90a,code=sm_90a \
	-gencode=arch=compute_100,code=[sm_100,compute_100]
CUDA_INSTALLED := $(shell for nvcc in "$$(command -v nvcc)" /usr/local/cuda/bin/nvcc /opt/cuda/bin/nvcc; do \
	if [ -x "$$nvcc" ] && "$$nvcc" --list-gpu-code 2>/dev/null | grep -qx sm_100; then dirname "$$(dirname "$$(readlink -f "$$nvcc")")"; break; fi; done)
CUDA_HOME ?= $(or $(CUDA_INSTALLED),$(CURDIR)/cuda-toolchain/nvidia/cu13)
NVCC_FLAGS := -std=c++17 -O3 -Werror all-warnings -Xcompiler -Wall
FATBINS    := $(patsubst kernels/cuda/source/%.cu,kernels/cuda/fatbin/%.fatbin,$(wildcard kernels/cuda/source/*.cu))

# Go does not see that headers outside of a package changed; their checksum in the flags makes it build anew.
GPU_HEADERS := kernels/cpu/program.h $(wildcard kernels/cuda/source/*.h) kernels/cuda/forward/forward.h kernels/cuda/compat/cuda.h
GPU_ENV := CGO_CFLAGS='-O2 -I$(CURDIR)/kernels/cuda/compat -I$(CUDA_HOME)/include -DATOLL_HEADERS=$(shell cat $(GPU_HEADERS) | cksum | cut -d' ' -f1)' \
	CGO_LDFLAGS='-L$(CURDIR)/build/cuda -ldl'

# Where there are Go files behind the tag gpu.
GPU_PACKAGES := ./kernels/cuda ./trainer ./cmd/atoll

# The emulated driver: the same .cu files, compiled by g++. Without -fno-ipa-..., gcc 12 drops calls of functions that write through
# addresses which its loop optimizer has rewritten: it takes them for pure.
EMULATED_FLAGS   := -std=c++17 -O2 -g1 -fno-ipa-modref -fno-ipa-pure-const -Wall -Wextra -fPIC -fvisibility=hidden $(shell grep -qw avx2 /proc/cpuinfo 2>/dev/null && echo -mavx2 -mfma -mf16c)
# A call before every access to memory, which the driver answers itself; structs are copied whole, so that 16 bytes stay one access.
EMULATED_CHECKS  := -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 -fno-tree-sra
EMULATED_KERNELS := $(patsubst kernels/cuda/source/%.cu,build/emulated/%.cu.o,$(wildcard kernels/cuda/source/*.cu))
EMULATED_DRIVER  := $(patsubst kernels/cuda/emulator/%.cpp,build/emulated/%.cpp.o,$(wildcard kernels/cuda/emulator/*.cpp))
EMULATED_PLANTED := $(patsubst kernels/cuda/emulator/%.cu,build/emulated/%.cu.o,$(wildcard kernels/cuda/emulator/testdata/*.cu))
EMULATED_CASES   := $(patsubst kernels/cuda/emulator/%.cpp,build/emulated/%.cpp.o,$(wildcard kernels/cuda/emulator/testdata/*.cpp))

.DEFAULT_GOAL := help
.PHONY: help build gpu gpu-bundle gpu-env emulator cuda-toolchain demo test test-race test-sanitize test-emulated test-emulated-kernels test-emulated-training \
	test-without-gpu test-gpu check-cuda check-cuda-versions test-arm64 vet vet-darwin format lint lint-gpu fuzz bench bench-peers check clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/atoll for this machine's CPU; needs Go and a C compiler
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/atoll ./cmd/atoll

gpu: $(FATBINS) build/cuda/libcuda.a ## bin/atoll with CUDA in it; starts and falls back to the CPU without a GPU
	$(GPU_ENV) $(GO) build -tags gpu -ldflags '$(LDFLAGS)' -o bin/atoll ./cmd/atoll

gpu-bundle: gpu ## build/atoll-gpu.tar.gz: what bench/gpu.sh needs on a machine with a GPU and without Go
	$(GPU_ENV) $(GO) test -c -tags gpu -o bin/cuda-cases ./kernels/cuda
	tar -czf build/atoll-gpu.tar.gz bin/atoll bin/cuda-cases bench/gpu.sh bench/peers trainer/reference/testdata

gpu-env: build/cuda/libcuda.a | $(CUDA_HOME)/include/cuda.h ## print what go needs to build with -tags gpu: eval "export $$(make -s gpu-env)"
	@echo "$(GPU_ENV)"

emulator: build/libcuda-emulated.so ## a CUDA driver that runs the kernels on the CPU and checks them: ATOLL_LIBCUDA=$PWD/build/libcuda-emulated.so

cuda-toolchain: $(TOOLCHAIN) ## nvcc and the CUDA headers from PyPI into cuda-toolchain, 350 MB; not needed beside a toolkit of CUDA 12.8 or later

demo: build ## the whole path on text built into the binary: prepare, pretrain, fine-tune, evaluate, classify
	bin/atoll demo

test: ## every test of every package
	$(GO) test -timeout 30m ./...

test-race: ## the tests of the packages with threads, under the race detector (RACE_PACKAGES=./... for all)
	$(GO) test -race -short -tags checked -run 'Concurrent|Buffer|Checks' ./kernels/cpu
	$(GO) test -race -short -timeout 30m -tags checked $(RACE_PACKAGES)

# Of the Go code only the package that holds C memory is checked too: with the table and its plain Go twin the test takes ten times as long.
test-sanitize: ## the C kernels on their case table, under the address and undefined-behaviour sanitizers
	CGO_CFLAGS='$(SANITIZE_CFLAGS)' CGO_LDFLAGS='$(SANITIZE_LDFLAGS)' $(GO) test -asan -gcflags=all=-asan=false -gcflags=atoll/kernels/cpu= \
		-short -timeout 30m -tags checked ./kernels/cpu

EMULATED := build/libcuda-emulated.so build/libcuda-planted.so build/emulated-cases build/cuda/libcuda.a

test-emulated: test-emulated-kernels test-emulated-training test-without-gpu ## the CUDA path on the emulated driver, without a GPU

test-emulated-kernels: $(EMULATED) | $(CUDA_HOME)/include/cuda.h
	ATOLL_LIBCUDA=$(CURDIR)/$< ATOLL_PLANTED=$(CURDIR)/build/libcuda-planted.so ATOLL_EMULATED_CASES=$(CURDIR)/build/emulated-cases \
		$(GPU_ENV) $(GO) test -tags gpu -timeout 30m ./kernels/cuda

test-emulated-training: $(EMULATED) | $(CUDA_HOME)/include/cuda.h
	ATOLL_LIBCUDA=$(CURDIR)/$< $(GPU_ENV) $(GO) test -tags gpu -timeout 30m -run 'TestEmulated|TestCUDA' ./cmd/atoll ./trainer

test-gpu: $(FATBINS) build/cuda/libcuda.a | $(CUDA_HOME)/include/cuda.h ## the CUDA path on this machine's GPU
	ATOLL_LIBCUDA=libcuda.so.1 $(GPU_ENV) $(GO) test -tags gpu -count 1 -timeout 30m -run 'TestKernels|TestShifted|TestSameBits|TestFaults|TestPadding|TestTF32' ./kernels/cuda
	ATOLL_LIBCUDA=libcuda.so.1 $(GPU_ENV) $(GO) test -tags gpu -count 1 -timeout 30m -run TestCUDA ./cmd/atoll ./trainer

# The build with CUDA where there is no driver; on a machine with a GPU these tests skip.
test-without-gpu: build/cuda/libcuda.a | $(CUDA_HOME)/include/cuda.h
	env -u ATOLL_LIBCUDA $(GPU_ENV) $(GO) test -tags gpu -timeout 10m -run 'WithoutGPU|TestInspectDevices|TestVersionNamesCUDA' ./cmd/atoll

check-cuda: $(FATBINS) $(FATBINS:kernels/cuda/fatbin/%.fatbin=build/ptxas/%.txt) build/cuda/libcuda.a ## every .cu for every target, its registers and machine code against kernels/cuda/testdata/ptxas.txt (UPDATE=1 writes it); no GPU
	ATOLL_CUDA_HOME=$(CUDA_HOME) $(GPU_ENV) $(GO) test -tags gpu -count 1 -run 'TestStatic|TestOccupancy' ./kernels/cuda $(if $(UPDATE),-args -update)

check-cuda-versions: .tools/cuda-13.0/installed .tools/cuda-12.9/installed build/cuda/libcuda.a | $(CUDA_HOME)/include/cuda.h ## the kernels by nvcc 13.0 and NVRTC 12.9, the Go side on their headers; 520 MB, and as long as make gpu twice
	@mkdir -p build/cuda-13.0
	@for source in $(wildcard kernels/cuda/source/*.cu); do echo "nvcc 13.0: $$source"; \
		.tools/cuda-13.0/nvidia/cu13/bin/nvcc $(NVCC_FLAGS) $(CUDA_TARGETS) -fatbin -o build/cuda-13.0/$$(basename $$source .cu).fatbin $$source || exit 1; done
	$(PYTHON) kernels/cuda/testdata/nvrtc.py --library .tools/cuda-12.9/nvidia/cuda_nvrtc/lib/libnvrtc.so.12 -I kernels/cuda/compat/nvrtc -I kernels/cuda/source \
		-I .tools/cuda-12.9/nvidia/cuda_runtime/include -I .tools/cuda-12.9/nvidia/cuda_cccl/include $(wildcard kernels/cuda/source/*.cu)
	@for home in .tools/cuda-12.9/nvidia/cuda_runtime .tools/cuda-13.0/nvidia/cu13; do echo "go test -c ./kernels/cuda on the headers of $$home"; \
		environment=$$($(MAKE) -s CUDA_HOME=$(CURDIR)/$$home gpu-env) && eval "export $$environment" && $(GO) test -c -tags gpu -o build/cuda-headers ./kernels/cuda || exit 1; done

test-arm64: ## the kernel tests, cross-built for ARM64 Linux and run under qemu-user
	@if ! command -v $(ARM64CC) >/dev/null || ! command -v $(firstword $(QEMU)) >/dev/null; then \
		echo 'test-arm64: SKIPPED: needs $(ARM64CC) and $(firstword $(QEMU)) (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)'; \
	else \
		echo "$(GO) test -short -timeout 30m -exec '$(QEMU)' $(ARM64_PACKAGES)  # for linux/arm64"; \
		ATOLL_EMULATOR='$(QEMU)' CGO_ENABLED=1 GOOS=linux GOARCH=arm64 CC=$(ARM64CC) $(GO) test -short -timeout 30m -exec '$(QEMU)' $(ARM64_PACKAGES); \
	fi

vet: ## go vet
	$(GO) vet ./...

vet-darwin: ## compile the Go and C code for macOS on ARM64 with zig's headers, without linking or running it
	@if ! $(MAKE) -s $(ZIG); then \
		echo 'vet-darwin: SKIPPED: needs $(PYTHON) with pip and the wheel ziglang==$(ZIG_VERSION) from PyPI'; \
	else \
		echo '$(GO) vet $(DARWIN_PACKAGES)  # for darwin/arm64'; \
		CGO_ENABLED=1 GOOS=darwin GOARCH=arm64 CC='$(CURDIR)/$(ZIG) cc -target aarch64-macos' $(GO) vet $(DARWIN_PACKAGES); \
	fi

format: ## fail where gofmt would change a file
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "format: run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

lint: $(STATICCHECK) ## staticcheck, with the checks in staticcheck.conf
	$(STATICCHECK) ./...

lint-gpu: $(STATICCHECK) build/cuda/libcuda.a | $(CUDA_HOME)/include/cuda.h ## staticcheck of the files behind the tag gpu
	$(GPU_ENV) $(STATICCHECK) -tags gpu $(GPU_PACKAGES)

# Before 1.27 Go at times fails a target whose time is up, with "context deadline exceeded" and no failing input (golang/go#75804): passed.
fuzz: ## every fuzz target of every package, FUZZ_TIME (30s) each
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { names = names " " $$1 } /^ok/ { split(names, n, " "); for (i in n) print $$2, n[i]; names = "" }' | sort > .fuzz-targets; \
	trap 'rm -f .fuzz-targets .fuzz-output' EXIT; \
	test -s .fuzz-targets || { echo 'fuzz: no target found, want functions named Fuzz...'; exit 1; }; \
	while read -r package target; do \
		echo "fuzz $$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x "$$package" > .fuzz-output 2>&1; status=$$?; cat .fuzz-output; \
		test $$status = 0 || { grep -q 'context deadline exceeded' .fuzz-output && ! grep -q 'Failing input' .fuzz-output; } || exit 1; \
	done < .fuzz-targets

bench: build ## measure kernels, the training step and classification, with this machine's peaks beside them
	bin/atoll bench kernels
	bin/atoll bench train
	bin/atoll bench classify

bench-peers: build .venv/installed .venv/llama ## atoll and its peers in turns on the same work, into bench/results; 6 GB, hours. PEERS='--only train --rounds 5' chooses
	.venv/bin/python bench/peers/compare.py $(PEERS)

# Much of this waits for one C file to be compiled or one test to end, so two targets go at a time, but for the tests that look at the clock.
# All have the flags of cgo that the build with CUDA needs, so that the kernels are compiled once for both.
check: ## exactly what CI runs
	@for targets in 'format vet' 'lint build cuda-toolchain' test test-race lint-gpu emulator 'test-emulated test-sanitize test-arm64'; do \
		echo "check: $$targets, $$(date +%T)"; $(GPU_ENV) $(MAKE) --no-print-directory -j2 -Otarget $$targets || exit 1; done

clean: ## remove what make made: bin, build, .tools, .venv, cuda-toolchain (runs and data directories stay)
	rm -rf bin build .tools .venv cuda-toolchain kernels/cuda/fatbin/*.fatbin

$(TOOLCHAIN):
	rm -rf cuda-toolchain
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --target cuda-toolchain $(CUDA_WHEELS)
	touch $@

.tools/cuda-13.0/installed .tools/cuda-12.9/installed: .tools/cuda-%/installed:
	rm -rf $(@D)
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --target $(@D) $(CUDA_$(subst .,,$*)_WHEELS)
	touch $@

$(CUDA_HOME)/include/cuda.h $(CUDA_HOME)/bin/nvcc:
	@echo 'make: $@ is not there: run make cuda-toolchain, or set CUDA_HOME to a toolkit of CUDA 12.8 or later' >&2; exit 1

# What ptxas says of each kernel is kept for make check-cuda.
kernels/cuda/fatbin/%.fatbin build/ptxas/%.txt: kernels/cuda/source/%.cu | $(CUDA_HOME)/bin/nvcc
	@mkdir -p build/ptxas
	$(CUDA_HOME)/bin/nvcc $(NVCC_FLAGS) $(CUDA_TARGETS) -Xptxas -v -MMD -MP -MT kernels/cuda/fatbin/$*.fatbin -MF build/ptxas/$*.d -fatbin -o kernels/cuda/fatbin/$*.fatbin $< 2>build/ptxas/$*.txt || { cat build/ptxas/$*.txt >&2; exit 1; }

build/cuda/libcuda.a: kernels/cuda/forward/forward.c kernels/cuda/forward/forward.h kernels/cuda/forward/symbols.txt kernels/cuda/forward/linked.txt
	mkdir -p $(@D)
	sed 's/.*/SYMBOL(&)/' kernels/cuda/forward/symbols.txt kernels/cuda/forward/linked.txt > $(@D)/symbols.inc
	$(CC) -std=c11 -O2 -fPIC -Wall -Wextra -I$(@D) -c kernels/cuda/forward/forward.c -o $(@D)/forward.o
	rm -f $@
	$(AR) rcs $@ $(@D)/forward.o

EMULATE = $(CXX) -x c++ $(EMULATED_FLAGS) $(EMULATED_CHECKS) -Wno-unknown-pragmas -Wno-attributes -DATOLL_EMULATED -MMD -MP -c -o $@ $<

build/emulated/%.cu.o: kernels/cuda/source/%.cu
	@mkdir -p $(@D)
	$(EMULATE)

build/emulated/testdata/%.cu.o: kernels/cuda/emulator/testdata/%.cu
	@mkdir -p $(@D)
	$(EMULATE)

build/emulated/%.cpp.o: kernels/cuda/emulator/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(EMULATED_FLAGS) -MMD -MP -c -o $@ $<

build/emulated/testdata/%.cpp.o: kernels/cuda/emulator/testdata/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(EMULATED_FLAGS) -MMD -MP -c -o $@ $<

build/emulated-cases: $(EMULATED_CASES) $(EMULATED_PLANTED) $(EMULATED_DRIVER)
	$(CXX) -o $@ $^ -ldl

build/libcuda-emulated.so: $(EMULATED_KERNELS) $(EMULATED_DRIVER)
build/libcuda-planted.so: $(EMULATED_PLANTED) $(EMULATED_DRIVER)
build/libcuda-emulated.so build/libcuda-planted.so:
	$(CXX) -shared -Wl,-z,defs -o $@ $^

$(STATICCHECK):
	GOBIN=$(CURDIR)/$(@D) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

$(ZIG):
	$(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --target .tools/ziglang-$(ZIG_VERSION) ziglang==$(ZIG_VERSION)

.venv/installed: bench/peers/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

.venv/llama: bench/peers/requirements-llama.txt .venv/installed
	CMAKE_ARGS=-DLLAVA_BUILD=OFF .venv/bin/pip install -q --disable-pip-version-check -r $< \
		|| echo 'bench-peers: llama.cpp did not build: its rows will be skipped'
	touch $@

# Which headers each object was made from, as the compilers saw it.
-include $(wildcard build/emulated/*.d build/emulated/testdata/*.d build/ptxas/*.d)
