// A driver in a few lines whose card a test can look at: what is taken from it, and the most that ever was.
#pragma once

#include <cstdint>

extern "C" {
struct FakeCard {
  std::uint64_t used;   // bytes taken, of everything
  std::uint64_t peak;   // the most there ever was
  std::uint64_t chunk;  // what a pool and the graph memory grow by
  int capturing;        // non-zero: every stream is being captured
  int refuse;           // non-zero: the next release or unmap is refused
};

// The one card.
FakeCard* fake_card();
}
