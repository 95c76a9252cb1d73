// How memory is taken and given back through each replaced function.
#pragma once

#include "tests/fake/coverage/doors.h"

namespace hami::coverage {

// What a function does to the account.
enum class Part { takes, gives, reports, other };

// take(mib) takes so many MiB, give() gives back what the last take() took. In the one of the two that the
// part names, the function under test is called as the door gives it; everything else is the driver's usual
// way.
struct Way {
  const char* symbol;
  Part part;
  CUresult (*take)(std::size_t mib);
  CUresult (*give)();
};

// `via`: the functions under test. `cuda`: for everything around them. Both must be set before a way is used.
extern Cuda via;
extern Cuda cuda;

// A context of the device is current afterwards, and again after every way that ends one.
CUresult start();

// The way of a function; null for those that neither take nor give memory.
const Way* find_way(const char* symbol);

}  // namespace hami::coverage
