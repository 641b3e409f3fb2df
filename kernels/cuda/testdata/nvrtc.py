"""Compiles CUDA files with a libnvrtc for every target, and fails where it says anything at all: errors, or warnings."""

import argparse
import ctypes
import sys
from pathlib import Path

TARGETS = ["sm_80", "sm_89", "sm_90a", "sm_100"]


def compile_file(nvrtc: ctypes.CDLL, path: Path, target: str, includes: list[str]) -> tuple[bool, str]:
    """Whether the file compiles for a target, and what the compiler said."""
    program = ctypes.c_void_p()
    code = nvrtc.nvrtcCreateProgram(ctypes.byref(program), path.read_bytes(), str(path).encode(), 0, None, None)
    if code:
        return False, f"nvrtcCreateProgram answers {code}"
    # Without --device-as-default-execution-space NVRTC 12 takes the call of a generic lambda for a function of the host, which it does not compile.
    options = ["--std=c++17", "--device-as-default-execution-space", f"--gpu-architecture={target}", *(f"--include-path={i}" for i in includes)]
    code = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(o.encode() for o in options)))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return code == 0, log.value.decode(errors="replace").strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, help="libnvrtc.so")
    parser.add_argument("-I", dest="includes", action="append", default=[], help="a folder of headers")
    parser.add_argument("--target", dest="targets", action="append", choices=TARGETS, help="one of them alone; default: all")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    nvrtc = ctypes.CDLL(options.library)
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    bad = 0
    for path in options.files:
        for target in options.targets or TARGETS:
            compiled, log = compile_file(nvrtc, path, target, options.includes)
            if not compiled or log:
                bad += 1
                print(f"NVRTC {major.value}.{minor.value}: {path.name} for {target}: {'warns' if compiled else 'fails'}\n{log}", file=sys.stderr)
    print(f"NVRTC {major.value}.{minor.value}: {len(options.files)} files for {len(options.targets or TARGETS)} targets, {bad} with errors or warnings")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
