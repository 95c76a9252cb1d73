// Memory that is bound to a multicast object lives without its handle, and stays charged until it is unbound.
// The limit is 1000 MiB.
#include <gtest/gtest.h>

#include <string>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

class Multicast : public ::testing::Test {
 protected:
  std::string exercise(const std::string& scenario) {
    const Container container(node_, {1000});
    const Outcome result = container.run({HAMI_BUILD_DIR "/bin/vgpu-exercise", scenario});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_LE(container.page().devices[0].peak.load(), 1000 * kMiB);
    EXPECT_EQ(container.repaired(), 0U) << "the charge ends with the process";
    return result.out;
  }
  SimNode node_{"cuda_version = 13.0\n"};
};

TEST_F(Multicast, KeepsTheMemoryOfAHandle) {
  EXPECT_EQ(exercise("multicast-handle"),
            "object: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "bind too early: 800, free 400 MiB\n"
            "add: 0, free 400 MiB\n"
            "add again: 1, free 400 MiB\n"
            "bind: 0, free 400 MiB\n"
            "bind again: 1, free 400 MiB\n"
            "release: 0, free 400 MiB\n"
            "create too much: 2, free 400 MiB\n");
}

TEST_F(Multicast, KeepsTheMemoryBehindAnAddress) {
  EXPECT_EQ(exercise("multicast-address"),
            "object: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "add: 0, free 400 MiB\n"
            "reserve: 0, free 400 MiB\n"
            "bind what is not mapped: 1, free 400 MiB\n"
            "map: 0, free 400 MiB\n"
            "bind: 0, free 400 MiB\n"
            "release: 0, free 400 MiB\n"
            "unmap: 0, free 400 MiB\n"
            "alloc too much: 2, free 400 MiB\n");
}

TEST_F(Multicast, HasNoMemoryOfItsOwn) {
  EXPECT_EQ(exercise("multicast-object"),
            "object: 0, free 1000 MiB\n"
            "reserve: 0, free 1000 MiB\n"
            "map: 0, free 1000 MiB\n"
            "release: 0, free 1000 MiB\n"
            "unmap: 0, free 1000 MiB\n"
            "release again: 1, free 1000 MiB\n"
            "all: 0, free 0 MiB\n");
}

TEST_F(Multicast, LeavesAloneWhatCouldNotBeBound) {
  EXPECT_EQ(exercise("multicast-unbound"),
            "object: 0, free 1000 MiB\n"
            "create: 0, free 400 MiB\n"
            "add: 0, free 400 MiB\n"
            "bind beyond its end: 1, free 400 MiB\n"
            "unbind what is not bound: 1, free 400 MiB\n"
            "release: 0, free 1000 MiB\n"
            "release the object: 0, free 1000 MiB\n");
}

TEST_F(Multicast, GivesBackWhatIsUnboundOrEndsWithIt) {
  EXPECT_EQ(exercise("multicast-unbind"),
            "object: 0, free 1000 MiB\n"
            "add: 0, free 1000 MiB\n"
            "create: 0, free 700 MiB\n"
            "create: 0, free 400 MiB\n"
            "bind first: 0, free 400 MiB\n"
            "bind second: 0, free 400 MiB\n"
            "release first: 0, free 400 MiB\n"
            "unbind nothing: 1, free 400 MiB\n"
            "unbind first: 0, free 700 MiB\n"
            "unbind second: 0, free 700 MiB\n"
            "bind again: 0, free 700 MiB\n"
            "release second: 0, free 700 MiB\n"
            "reserve: 0, free 700 MiB\n"
            "map object: 0, free 700 MiB\n"
            "release object: 0, free 700 MiB\n"
            "unmap object: 0, free 1000 MiB\n");
}

}  // namespace
}  // namespace hami::fake
