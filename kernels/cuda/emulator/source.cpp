// See source.h.
#include "source.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <filesystem>

namespace emulator {

std::string short_path(const char *file) {
	std::string path = std::filesystem::path(file).lexically_normal();
	size_t folder = path.find("kernels/cuda/");
	return folder == std::string::npos ? path : path.substr(folder);
}

// own is whether the line is in a header of the emulator.
static bool own(const char *line) {
	const char *folder = strstr(line, "kernels/cuda/emulator/");
	return folder && strstr(folder, ".h:");
}

// line_of asks addr2line, which knows what was inlined where: the innermost line that is not the emulator's own.
static std::string line_of(const char *library, size_t offset) {
	char command[4096], line[1024];
	snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%zx 2>/dev/null", library, offset);
	FILE *lines = popen(command, "r");
	if (!lines) return "";
	std::string found;
	while (fgets(line, sizeof line, lines)) {
		line[strcspn(line, " \n")] = 0;
		if (!found.empty() || line[0] == '?' || own(line)) continue;
		found = short_path(line);
	}
	pclose(lines);
	return found;
}

std::string source_of(const void *return_address) {
	Dl_info info;
	if (!return_address || !dladdr(return_address, &info)) return "";
	size_t offset = (size_t)((uintptr_t)return_address - 1 - (uintptr_t)info.dli_fbase);
	std::string line = line_of(info.dli_fname, offset);
	if (!line.empty()) return line;
	const char *slash = strrchr(info.dli_fname, '/');
	char words[1024];
	snprintf(words, sizeof words, "%s+0x%zx", slash ? slash + 1 : info.dli_fname, offset);
	return words;
}

}
