// What nvidia-smi prints.
#pragma once

#include "tests/simdriver/smi/library.h"

namespace hami::smi {

inline constexpr unsigned kMaxGpus = 64;

// The devices a command is about.
struct Selection {
  nvmlDevice_t devices[kMaxGpus];
  unsigned count;
};

// The familiar table of cards and processes.
void print_table(const Nvml& nvml, const Selection& selection);

// "GPU 0: NAME (UUID: …)", a line each.
void print_list(const Nvml& nvml, const Selection& selection);

// A part of the long form: identity, memory, utilisation.
void print_details(const Nvml& nvml, const Selection& selection);

struct CsvFormat {
  bool header = true;
  bool units = true;
};

// A line of the named fields for each device, or for each process of each device. False, with a message
// printed, when a field is not known.
bool print_gpu_fields(const Nvml& nvml, const Selection& selection, const char* fields, CsvFormat format);
bool print_app_fields(const Nvml& nvml, const Selection& selection, const char* fields, CsvFormat format);

}  // namespace hami::smi
