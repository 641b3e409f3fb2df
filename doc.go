// Package atoll is the root of the module and holds no code of its own: the
// engine that trains GPT-2 and turns it into a text classifier is in engine,
// kernels, model and trainer, the command line in cmd/atoll. The test beside
// this file states which of these may import which, and fails when one does
// not keep to it.
package atoll
