// Modules and their functions.
#pragma once

#include "tests/simdriver/cuda/work.h"

namespace hami::sim {

// Whether all code of a module is loaded with it: CUDA_MODULE_LOADING=EAGER, as with the real driver.
bool loads_eagerly();

// What a launch of `function` with so many blocks costs on a device; CUDA_ERROR_INVALID_HANDLE for no
// function. A name "k_<us>_<blocks>" says it: each block takes so many microseconds, and so many blocks run
// at once on an otherwise idle card (at most what the card has room for). Other names cost 10 us a block,
// with two blocks for each multiprocessor at once.
CUresult cost_of(CUfunction function, const Device& device, std::uint64_t blocks, Work& out);

}  // namespace hami::sim
