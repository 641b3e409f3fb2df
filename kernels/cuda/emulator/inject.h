// What tests of the host ask of the driver, by the environment variable DRIVER_FAIL; it may change at any time:
//
//   call:code                            every call of that name (cuMemAlloc_v2) answers with the code
//   call:code:N                          the N-th call from now does, from 1
//   lost:code:N                          all calls after N launches of kernels or graphs do, until the process ends
//   fault:code:call:value:limit:index    a program that is waited for ends with that fault_record
//   forget:call                          calls of that name do nothing (cuStreamWaitEvent)
//   count:1, capability:7                the driver finds no device, or an old one
//
// DRIVER_MEMORY is how many bytes the device has.
#pragma once

#include <memory>

#include "stream.h"

namespace emulator {

// fails is the code that DRIVER_FAIL has for this call, or 0.
int fails(const char *call);

// forgets is whether DRIVER_FAIL wants such calls to do nothing.
bool forgets(const char *call);

// lose_device breaks the context where it is time, before a call.
void lose_device(const char *call);

// plant_fault does so when the stream is waited for.
void plant_fault(const std::shared_ptr<stream> &s);

// The counts that tests ask for, as device attributes from 9000. OVERLAPPED are the copies to the device that were queued while another
// stream had something to do.
enum counted { PLAIN_LAUNCHES, GRAPH_LAUNCHES, WAITS, UNFREED, CAPTURES, OVERLAPPED, COUNTS };
extern int counts[COUNTS];

}
