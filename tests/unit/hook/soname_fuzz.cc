// Any file's name is none or one that can be a file's.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "hook/soname.h"
#include "oci-config/base/unique_fd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const hami::UniqueFd file(::memfd_create("library", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  const auto name = hami::hook::library_name(file.get());
  if (name && (name->soname.find('/') != std::string::npos || name->soname.size() > 255)) std::abort();
  return 0;
}
