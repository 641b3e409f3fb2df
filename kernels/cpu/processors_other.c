//go:build !linux

#include "processors.h"

int processors_now(processors *p) {
	*p = (processors){0};
	return 0;
}

processors processors_nth(const processors *p, int n) {
	(void)n;
	return *p;
}

void processors_use(const processors *p) { (void)p; }
