// What a vendor's driver makes for a slice: here a file beside the library that stands in for the vendor's,
// or, where a file "nodes" beside it says "<directory> <major>", a device node in that directory. A third
// word there, "crash" or "hang", is what becomes of the library once the node is made.
#pragma once

#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace hami::vendors::fake {

struct NodePlace {
  std::string directory;
  unsigned major = 0;  // none: files
  std::string then;
};

// `function` is one of the library.
inline NodePlace node_place(const void* function) {
  Dl_info self{};
  ::dladdr(function, &self);
  const std::string library = self.dli_fname;
  NodePlace place{library.substr(0, library.rfind('/')), 0, ""};
  std::ifstream nodes(place.directory + "/nodes");
  if (nodes) nodes >> place.directory >> place.major >> place.then;
  return place;
}

// False when there is one of this name.
inline bool make_node(const NodePlace& place, const std::string& name, unsigned minor) {
  const std::string path = place.directory + "/" + name;
  if (place.major != 0) {
    const bool made = ::mknod(path.c_str(), S_IFCHR | 0600, makedev(place.major, minor)) == 0;
    if (place.then == "crash") std::abort();
    while (place.then == "hang") ::pause();
    return made;
  }
  std::FILE* file = std::fopen(path.c_str(), "wx");
  if (file == nullptr) return false;
  std::fclose(file);
  return true;
}

inline bool remove_node(const NodePlace& place, const std::string& name) {
  return std::remove((place.directory + "/" + name).c_str()) == 0;
}

}  // namespace hami::vendors::fake
