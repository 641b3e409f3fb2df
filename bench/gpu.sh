#!/usr/bin/env bash
# All that is to be measured on a machine with a GPU, into one file: bench/results/gpu-DATE-MODEL.md.
#
# Needs bin/atoll from make gpu (make gpu-bundle packs it with what stands beside it here) and no Go, no compiler, no network.
# nvidia-smi, PyTorch and compute-sanitizer are used where they are; what is missing is said in the file and skipped. No command
# gets more than LIMIT seconds (120), so that the file is there when a machine is lent for a while only: what is wanted most comes
# first, and --only runs the sections that it names. Exits with 1 if a check failed. bench/gpu.sh --tiny tries the script itself on
# small shapes, on the emulated driver too (ATOLL_LIBCUDA).
set -uo pipefail
cd "$(dirname "$0")/.."

atoll=bin/atoll cases=bin/cuda-cases device=cuda python=${PYTHON:-python3} out='' tiny=0 only='' turns=''
sections='self-test verify cases kernels-bf16 training sanitizer kernels-fp32'
usage() { echo "usage: bench/gpu.sh [--tiny] [--only 'SECTION ...'] [--turns N] [--device cuda:N] [--atoll FILE] [--out FILE], with sections of: $sections" >&2; exit 2; }
while (($#)); do
	case $1 in
	--tiny) tiny=1 ;;
	--only) only=${2-}; shift ;;
	--turns) turns=${2-}; shift ;;
	--device) device=${2-}; shift ;;
	--atoll) atoll=${2-}; shift ;;
	--out) out=${2-}; shift ;;
	*) usage ;;
	esac
	shift || usage
done
for name in $only; do [[ " $sections " == *" $name "* ]] || usage; done
[[ $turns =~ ^[1-9]?[0-9]?$ ]] || usage
[[ -x $atoll ]] || { echo "bench/gpu.sh: $atoll is not there: build it with make gpu, or name it with --atoll" >&2; exit 2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache # self-tests are remembered there, not where the user's are
failed=() skipped=() limit=${LIMIT:-120}

# Shapes: T of training and of the table, measured steps, turns of A B, and for each model the batches of training: of those that a
# comma parts, the first whose step runs.
sequence=1024 table_batch=32 steps=20 fp32_steps=3 turns=${turns:-2} references=trainer/reference/testdata
models=('gpt2|--model gpt2|--layers 12 --width 768 --heads 12 --vocab 50257|32,16,8,4 64'
	'gpt2-medium|--model gpt2-medium|--layers 24 --width 1024 --heads 16 --vocab 50257|32,16,8,4')
if ((tiny)); then
	sequence=16 table_batch=2 steps=1 fp32_steps=1 turns=1 references=trainer/reference/testdata/classify
	size='--layers 1 --width 32 --heads 2 --vocab 300'
	models=("mini|--model mini $size|$size|4,2")
fi

# gpu_model is the GPU's name as a part of a file name.
gpu_model() {
	local name=''
	if [[ -z ${ATOLL_LIBCUDA-} ]]; then name=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1); fi
	[[ -n $name ]] || name=$("$atoll" inspect devices --threads 1 2>/dev/null | sed -n '/^cuda/,$s/^\(cuda:0  *\|  *\)\(.*\), compute capability.*/\2/p' | head -n 1)
	echo "${name:-none}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-//; s/-$//'
}
[[ -n $out ]] || out=bench/results/gpu-$(date +%F)-$(gpu_model).md
mkdir -p "$(dirname "$out")"
: > "$out" || exit 1

say() { printf '%s\n' "$*" | tee -a "$out"; }
section() { say ''; say "## $*"; say ''; }
skip() { skipped+=("$1"); say "SKIPPED: $1: $2"; }

# shown runs a command and puts the command and all it prints into the file; its exit code stays: 124 where it took too long.
shown() {
	local code
	say '```'
	say "\$ $*"
	timeout "$limit" "$@" 2>&1 | tee -a "$out"
	code=${PIPESTATUS[0]}
	((code == 0)) || say "(exit $code)"
	say '```'
	return "$code"
}

# check is shown for what must succeed.
check() {
	local what=$1
	shift
	shown "$@" || { failed+=("$what"); say "FAILED: $what"; }
}

# number finds a field of a JSON document on standard input.
number() { sed -n "s/.*\"$1\": *\([-+.0-9eE]*\).*/\1/p" | head -n 1; }

facts() {
	section 'The machine'
	say "$(date -u +'%F %T') UTC, $(uname -srm), $(grep -m 1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores"
	[[ -z ${ATOLL_LIBCUDA-} ]] || say "ATOLL_LIBCUDA=$ATOLL_LIBCUDA: an emulated driver, so no time below tells anything about a GPU."
	shown "$atoll" version
	if command -v nvidia-smi >/dev/null; then
		shown nvidia-smi --query-gpu=name,driver_version,vbios_version,memory.total,power.limit,clocks.max.sm,clocks.max.mem,persistence_mode,ecc.mode.current,temperature.gpu --format=csv
		shown nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv
	else
		skip nvidia-smi 'not installed: driver, clocks and power limit are not known'
	fi
}

# The self-test is the first start, with an empty cache; the second start has it remembered.
self_test() {
	section 'Self-test of the kernels'
	for _ in 1 2; do
		check 'atoll inspect devices' env XDG_CACHE_HOME="$scratch/selftest" "$atoll" inspect devices --threads 1
	done
	if grep -q 'failed its self-test' "$out"; then failed+=('the self-test'); fi
}

verify() {
	section 'Reference values'
	[[ -d $references ]] || { skip 'atoll verify' "no $references beside the script"; return; }
	local precision
	for precision in fp32 bf16 fp16; do
		check "verify in $precision" "$atoll" verify "$references" --device "$device" --precision "$precision"
	done
}

case_table() {
	section 'Case table of the kernels'
	[[ -x $cases ]] || { skip 'the case table' "no $cases: make gpu-bundle builds it"; return; }
	((tiny)) && { skip 'the case table' '--tiny: the self-test ran its small cases'; return; }
	check 'the case table' "$cases" -test.v -test.run '^(TestKernels|TestSameBits|TestFaults|TestPadding)$'
}

# The sanitizer's tools run the case table, all beside each other, since most of their time is the host's. racecheck gets the kernels in groups, since it
# takes the longest, and all have twice the time. In the head initcheck does not see what cublasLt writes, and racecheck finds races
# within cublasLt's own kernels: there products are atoll's.
sanitizer_runs=('memcheck --report-api-errors no|.' 'synccheck|.' 'initcheck|^[^h]' 'initcheck|^h' 'racecheck|^attention$' 'racecheck|^attention.backward'
	'racecheck|^h' 'racecheck|^linear$' 'racecheck|^linear.dx' 'racecheck|^linear.dw' 'racecheck|^layer' 'racecheck|^(attention.cached|[^ahl]|ad)')
sanitizer() {
	section 'compute-sanitizer on the case table'
	local program command=() n tool only own
	program=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1)
	[[ -n $program ]] || { skip compute-sanitizer 'not installed (it is in the CUDA toolkit)'; return; }
	[[ -x $cases ]] || { skip compute-sanitizer "no $cases: make gpu-bundle builds it"; return; }
	for n in "${!sanitizer_runs[@]}"; do
		IFS='|' read -r tool only <<<"${sanitizer_runs[n]}"
		own=''
		[[ $only != '^h' ]] || own='ATOLL_LIBCUBLASLT=none '
		# A kernel is looked for in one module after the other, so calls that fail are no fault (--report-api-errors).
		command[n]="env $own$program --tool $tool --print-limit 8 --error-exitcode 1 $cases -test.v -test.run ^TestKernels\$/$only"
		# shellcheck disable=SC2086 # several words
		{ time timeout $((2 * limit)) ${command[n]}; } >"$scratch/sanitizer.$n" 2>&1 &
		echo "$!" >"$scratch/sanitizer.$n.pid"
	done
	for n in "${!sanitizer_runs[@]}"; do
		wait "$(<"$scratch/sanitizer.$n.pid")"
		told "compute-sanitizer ${sanitizer_runs[n]}" $? "${command[n]}" "$scratch/sanitizer.$n"
	done
}

# told writes down what ran beside others: its name, its exit code, the command, and of the file that it printed the first and the last lines.
told() {
	say '```'
	say "\$ $3"
	if (($(wc -l <"$4") > 120)); then { head -n 80 "$4"; echo ...; tail -n 40 "$4"; } | tee -a "$out"; else tee -a "$out" <"$4"; fi
	(($2 == 0)) || { failed+=("$1"); say "(exit $2)"; }
	say '```'
}

kernel_table() {
	section "Kernels in $1"
	local name flags precision=$1 steps=$2
	for model in "${models[@]}"; do
		IFS='|' read -r name flags _ <<<"$model"
		# shellcheck disable=SC2086 # flags are several words
		check "the kernels of $name in $precision" "$atoll" bench kernels --device "$device" $flags --seq "$sequence" --batch "$table_batch" --steps "$steps" --precision "$precision"
	done
}

# largest is the first of the batches whose step runs, with the reason on standard error where none does.
largest() {
	local batch
	for batch in ${2//,/ }; do
		# shellcheck disable=SC2086
		timeout "$limit" "$atoll" bench train --device "$device" $1 --seq "$sequence" --batch "$batch" --steps 1 --precision bf16 >/dev/null 2>"$scratch/why" && { echo "$batch"; return; }
	done
	return 1
}

have_torch() { [[ -f bench/peers/gpu_train.py ]] && "$python" -c 'import torch' 2>/dev/null; }

# turn prints a row of the table: who, and the fields of the JSON that a command ends with.
turn() {
	local who=$1
	shift
	if ! timeout "$limit" "$@" >"$scratch/json" 2>"$scratch/why"; then
		failed+=("$who"); say "| $who | failed, or not done in $limit s: $(tail -n 1 "$scratch/why" | cut -c 1-300) | | | |"
		return
	fi
	say "| $who | $(number tokens_per_second <"$scratch/json") | $(number milliseconds <"$scratch/json") | $(number peak_share <"$scratch/json") | $(number device_bytes <"$scratch/json") |"
}

# training_of is the table of a model at the first of some batches that runs.
training_of() {
	local name=$1 flags=$2 peer=$3 batch n
	batch=$(largest "$flags" "$4") || { failed+=("training of $name"); say "FAILED: training of $name: $(tail -n 1 "$scratch/why" | cut -c 1-300)"; return; }
	say "$name, batch $batch (the first of $4 that runs), $steps steps, in turns:"
	say ''
	say '| | tokens/s | ms a step | share of the rated peak | bytes of the GPU |'
	say '|---|---|---|---|---|'
	for ((n = 1; n <= turns; n++)); do
		# shellcheck disable=SC2086
		turn "atoll, turn $n" "$atoll" bench train --device "$device" $flags --seq "$sequence" --batch "$batch" --steps "$steps" --precision bf16 --json
		# shellcheck disable=SC2086
		((peers)) && turn "PyTorch, turn $n" "$python" bench/peers/gpu_train.py $peer --seq "$sequence" --batch "$batch" --steps "$steps" $peer_device
	done
	say ''
}

training() {
	section "Training, T $sequence, bf16"
	local name flags peer batches wanted peers=0
	if have_torch; then
		peers=1
		shown "$python" -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda, "GPU:", torch.cuda.is_available() and torch.cuda.get_device_name())'
	else
		skip PyTorch "$python has no torch, or bench/peers is not beside the script"
	fi
	for model in "${models[@]}"; do
		IFS='|' read -r name flags peer batches <<<"$model"
		for wanted in $batches; do
			training_of "$name" "$flags" "$peer" "$wanted"
		done
	done
	command -v nvidia-smi >/dev/null && shown nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_event_reasons.active --format=csv
}
peer_device=${PEER_DEVICE:+--device $PEER_DEVICE}

say "# atoll on a GPU, $(date +%F)"
say ''
say "Written by bench/gpu.sh$( ((tiny)) && echo ' --tiny: small shapes that try the script, no measurement')."
facts
for name in ${only:-$sections}; do
	case $name in
	self-test) self_test ;;
	verify) verify ;;
	cases) case_table ;;
	kernels-bf16) kernel_table bf16 "$steps" ;;
	training) training ;;
	sanitizer) sanitizer ;;
	kernels-fp32) kernel_table fp32 "$fp32_steps" ;;
	esac
done
section 'What did not go well'
say "Failed: ${failed[*]:+$(printf '%s; ' "${failed[@]}")}"
say "Skipped: ${skipped[*]:+$(printf '%s; ' "${skipped[@]}")}"
echo "bench/gpu.sh: written to $out" >&2
((${#failed[@]} == 0))
