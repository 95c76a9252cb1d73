// The description of the simulated node, as text.
//
//   driver_version = 550.90.07
//   cuda_version = 12.4
//   context_mib = 300            # what each context takes; also per device
//   [gpu]                        # one section per card; every key has a default
//   name = NVIDIA A100-SXM4-40GB
//   memory_mib = 40960
#pragma once

#include "tests/simdriver/state/layout.h"

namespace hami::sim {

// Fills the constant part of `state` (options and devices). `text` is NUL-terminated; empty describes one
// card. On failure returns false and puts one line that names the place and what is wrong into `error`.
bool parse_config(const char* text, State& state, char* error, std::size_t error_size);

// The same from a file.
bool read_config(const char* path, State& state, char* error, std::size_t error_size);

}  // namespace hami::sim
