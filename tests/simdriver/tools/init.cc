// simgpu-init [CONFIG] STATE: makes the state of a simulated node, with the cards that CONFIG describes (see
// state/config.h; without it one card). An existing state is replaced; processes that use it keep the old
// one.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/simdriver/state/config.h"
#include "tests/simdriver/state/store.h"

namespace {

using namespace hami::sim;

State parsed;  // too large for the stack

void make_parents(const char* path) {
  char part[4096];
  snprintf(part, sizeof part, "%s", path);
  for (char* at = strchr(part + 1, '/'); at != nullptr; at = strchr(at + 1, '/')) {
    *at = 0;
    mkdir(part, 0755);
    *at = '/';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || argv[1][0] == '-') {
    fprintf(stderr, "usage: simgpu-init [CONFIG] STATE\n");
    return 2;
  }
  const char* state = argv[argc - 1];
  char error[512];
  const bool read = argc == 3 ? read_config(argv[1], parsed, error, sizeof error)
                              : parse_config("", parsed, error, sizeof error);
  if (!read) {
    fprintf(stderr, "simgpu-init: %s%s%s\n", argc == 3 ? argv[1] : "", argc == 3 ? ": " : "", error);
    return 1;
  }
  make_parents(state);
  if (!create_state(state, parsed, error, sizeof error)) {
    fprintf(stderr, "simgpu-init: %s\n", error);
    return 1;
  }
  return 0;
}
