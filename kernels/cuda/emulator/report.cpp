// See report.h.
#include "report.h"

#include "block.h"

namespace emulator {

static int kept_code;
static std::string kept_words;

void note_error(int code, const std::string &what) {
	if (kept_code) return;
	kept_code = code;
	kept_words = what;
}

void fail(int code, const std::string &what) {
	note_error(code, place_of_running() + what);
	stop_block();
}

int broken() { return kept_code; }
const char *report(int code) { return kept_code && code == kept_code ? kept_words.c_str() : nullptr; }

}
