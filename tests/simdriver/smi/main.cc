// A look-alike of nvidia-smi: the forms that people and scripts use most, through NVML alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/smi/screens.h"

namespace {

using namespace hami::smi;

// The real program's exit statuses are NVML's codes.
constexpr int kInvalidArgument = 2;
constexpr int kNoDevice = 6;
constexpr int kLibraryNotFound = 12;

struct Command {
  bool list = false;
  bool details = false;
  const char* gpu_fields = nullptr;
  const char* app_fields = nullptr;
  const char* only = nullptr;  // -i
  const char* format = nullptr;
};

// The value of "--name=value".
const char* value_of(const char* argument, const char* name) {
  const std::size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : nullptr;
}

bool parse_argument(const char* argument, Command& out) {
  if (strcmp(argument, "-L") == 0 || strcmp(argument, "--list-gpus") == 0) return out.list = true;
  if (strcmp(argument, "-q") == 0 || strcmp(argument, "--query") == 0) return out.details = true;
  if (const char* value = value_of(argument, "--query-gpu")) return out.gpu_fields = value, true;
  if (const char* value = value_of(argument, "--query-compute-apps")) return out.app_fields = value, true;
  if (const char* value = value_of(argument, "--format")) return out.format = value, true;
  if (const char* value = value_of(argument, "--id")) return out.only = value, true;
  return false;
}

bool parse(int argc, char** argv, Command& out) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "-i") == 0 && i + 1 < argc) {
      out.only = argv[++i];
    } else if (!parse_argument(argv[i], out)) {
      printf("Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n");
      return false;
    }
  }
  return true;
}

int cannot_start(const Nvml& nvml, nvmlReturn_t result) {
  if (result == NVML_ERROR_DRIVER_NOT_LOADED) {
    printf(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the "
        "latest "
        "NVIDIA driver is installed and running.\n\n");
  } else {
    printf("Failed to initialize NVML: %s\n",
           nvml.error_string != nullptr ? nvml.error_string(result) : "Unknown");
  }
  return static_cast<int>(result);
}

int no_library() {
  printf(
      "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA "
      "Display "
      "Driver is properly installed and present in your system.\nPlease also try adding directory that "
      "contains "
      "libnvidia-ml.so to your system PATH.\n");
  return kLibraryNotFound;
}

bool select_one(const Nvml& nvml, const char* id, Selection& out) {
  nvmlDevice_t device = nullptr;
  char* end = nullptr;
  const unsigned long index = strtoul(id, &end, 10);
  nvmlReturn_t result = NVML_ERROR_NOT_FOUND;
  if (*end == 0 && end != id) {
    result = nvml.by_index(static_cast<unsigned>(index), &device);
  } else if (strchr(id, ':') != nullptr) {
    result = nvml.by_bus_id(id, &device);
  } else {
    result = nvml.by_uuid(id, &device);
  }
  if (result == NVML_SUCCESS) out.devices[out.count++] = device;
  return result == NVML_SUCCESS;
}

bool select(const Nvml& nvml, const Command& command, Selection& out) {
  if (command.only != nullptr) return select_one(nvml, command.only, out);
  unsigned count = 0;
  if (nvml.count(&count) != NVML_SUCCESS) return false;
  for (unsigned i = 0; i < count && out.count < kMaxGpus; ++i) {
    if (nvml.by_index(i, &out.devices[out.count]) == NVML_SUCCESS) ++out.count;
  }
  return out.count > 0;
}

bool parse_format(const Command& command, CsvFormat& out) {
  if (command.format == nullptr || strncmp(command.format, "csv", 3) != 0) {
    printf("\"--format=\" switch is missing or is not csv. Please run 'nvidia-smi -h' for help.\n\n");
    return false;
  }
  out.header = strstr(command.format, "noheader") == nullptr;
  out.units = strstr(command.format, "nounits") == nullptr;
  return true;
}

int print(const Nvml& nvml, const Command& command, const Selection& selection) {
  if (command.gpu_fields == nullptr && command.app_fields == nullptr) {
    if (command.list) {
      print_list(nvml, selection);
    } else if (command.details) {
      print_details(nvml, selection);
    } else {
      print_table(nvml, selection);
    }
    return 0;
  }
  CsvFormat format;
  if (!parse_format(command, format)) return kInvalidArgument;
  const bool good = command.gpu_fields != nullptr
                        ? print_gpu_fields(nvml, selection, command.gpu_fields, format)
                        : print_app_fields(nvml, selection, command.app_fields, format);
  return good ? 0 : kInvalidArgument;
}

}  // namespace

int main(int argc, char** argv) {
  Command command;
  if (!parse(argc, argv, command)) return kInvalidArgument;
  Nvml nvml{};
  if (!open_nvml(nvml)) return no_library();
  if (const nvmlReturn_t result = nvml.init(); result != NVML_SUCCESS) return cannot_start(nvml, result);
  Selection selection{};
  int status = kNoDevice;
  if (select(nvml, command, selection)) {
    status = print(nvml, command, selection);
  } else {
    printf("No devices were found\n");
  }
  nvml.shutdown();
  return status;
}
