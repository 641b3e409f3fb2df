#define _GNU_SOURCE
#include "processors.h"

#include <sched.h>
#include <string.h>

_Static_assert(sizeof(processors) == sizeof(cpu_set_t), "a mask of 1024 processors");

int processors_now(processors *p) {
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set)) return 0;
	memcpy(p, &set, sizeof *p);
	return CPU_COUNT(&set);
}

processors processors_nth(const processors *p, int n) {
	cpu_set_t from, only;
	memcpy(&from, p, sizeof from);
	CPU_ZERO(&only);
	for (int cpu = 0; cpu < MOST_PROCESSORS; cpu++)
		if (CPU_ISSET(cpu, &from) && n-- == 0) CPU_SET(cpu, &only);
	processors nth;
	memcpy(&nth, &only, sizeof nth);
	return nth;
}

void processors_use(const processors *p) {
	cpu_set_t set;
	memcpy(&set, p, sizeof set);
	(void)sched_setaffinity(0, sizeof set, &set);
}
