// The rows of a batch in the order of their tokens, and of their numbers where the token is the same: an array of keys with the
// token above the row. No two are equal, so there is one order, however it is found.
#pragma once

#include "device.cuh"

static constexpr uint32_t NO_TOKEN = 0xffffffff; // of rows whose token is wrong: they come last and count for nothing

static __device__ inline uint64_t token_key(uint32_t token, uint32_t row) { return (uint64_t)token << 32 | row; }
static __device__ inline uint32_t key_token(uint64_t key) { return (uint32_t)(key >> 32); }
static __device__ inline uint32_t key_row(uint64_t key) { return (uint32_t)key; }
