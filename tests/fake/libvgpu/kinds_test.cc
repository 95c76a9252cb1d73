// Every kind of memory is counted, refused above the limit and free again at its end. The limit is 1000 MiB.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

class Kinds : public ::testing::Test {
 protected:
  std::string exercise(const std::string& scenario) {
    const Container container(node_, {1000});
    const Outcome result = container.run({HAMI_BUILD_DIR "/bin/vgpu-exercise", scenario});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_LE(container.page().devices[0].peak.load(), 1000 * kMiB);
    return result.out;
  }
  SimNode node_;
};

TEST_F(Kinds, ContextsTakeTheirMemoryAlong) {
  EXPECT_EQ(exercise("contexts"),
            "primary alloc: 0, free 900 MiB\n"
            "own alloc: 0, free 700 MiB\n"
            "own alloc: 0, free 500 MiB\n"
            "own destroyed: 0, free 900 MiB\n"
            "released once: 0, free 900 MiB\n"
            "reset: 0, free 1000 MiB\n"
            "alloc again: 0, free 700 MiB\n"
            "free of a stranger: 1, free 700 MiB\n"
            "released for good: 0, free 1000 MiB\n");
}

TEST_F(Kinds, HandlesOfVirtualMemory) {
  EXPECT_EQ(exercise("vmm"),
            "create: 0, free 400 MiB\n"
            "create too much: 2, free 400 MiB\n"
            "release: 0, free 1000 MiB\n"
            "host memory: 0, free 1000 MiB\n");
}

TEST_F(Kinds, WhatWasExportedStaysChargedUntilItsProcessEnds) {
  EXPECT_EQ(exercise("exported"),
            "create: 0, free 400 MiB\n"
            "export for Windows: 801, free 400 MiB\n"
            "release: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "bind to no multicast object: 1, free 400 MiB\n"
            "release: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "export: 0, free 400 MiB\n"
            "export again: 0, free 400 MiB\n"
            "release: 0, free 400 MiB\n"
            "create too much: 2, free 400 MiB\n");
}

TEST_F(Kinds, MemoryOfSparseTilesStaysCharged) {
  EXPECT_EQ(exercise("sparse"),
            "create: 0, free 400 MiB\n"
            "map to no array: 1, free 400 MiB\n"
            "release: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "map: 0, free 400 MiB\n"
            "release: 0, free 400 MiB\n"
            "create too much: 2, free 400 MiB\n");
}

TEST_F(Kinds, MemoryThatAnotherProcessOpensIsChargedOnce) {
  EXPECT_EQ(exercise("ipc"),
            "alloc: 0, free 400 MiB\n"
            "handle: 0, free 400 MiB\n"
            "other opens: 0, free 400 MiB\n"
            "other alloc too much: 2, free 400 MiB\n"
            "other alloc: 0, free 100 MiB\n"
            "other frees what is not its own: 1, free 100 MiB\n"
            "other frees its own: 0, free 400 MiB\n"
            "other closes: 0, free 400 MiB\n"
            "the other ends: 0, free 400 MiB\n"
            "free: 0, free 1000 MiB\n");
  EXPECT_EQ(exercise("shared"),
            "create: 0, free 400 MiB\n"
            "export: 0, free 400 MiB\n"
            "other imports: 0, free 400 MiB\n"
            "other reserves: 0, free 400 MiB\n"
            "other maps: 0, free 400 MiB\n"
            "other releases: 0, free 400 MiB\n"
            "other unmaps: 0, free 400 MiB\n"
            "the other ends: 0, free 400 MiB\n");
}

TEST_F(Kinds, ArraysAndMipmaps) {
  EXPECT_EQ(exercise("arrays"),
            "array: 0, free 744 MiB\n"
            "array: 0, free 488 MiB\n"
            "array: 0, free 232 MiB\n"
            "array: 2, free 232 MiB\n"
            "destroyed: 0, free 1000 MiB\n"
            "mipmap: 0, free 664 MiB\n"
            "mipmap destroyed: 0, free 1000 MiB\n");
}

TEST_F(Kinds, ExternalMemory) {
  EXPECT_EQ(exercise("external"),
            "import: 0, free 600 MiB\n"
            "destroy: 0, free 1000 MiB\n"
            "import too much: 2, free 1000 MiB\n");
}

}  // namespace
}  // namespace hami::fake
