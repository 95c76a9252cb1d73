// A card that was given out more than once: who comes second gets managed memory where that was asked for,
// and a plain refusal otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fake/libvgpu/vgpu_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

class OversoldCard : public ::testing::Test {
 protected:
  // The neighbour holds 3000 of the card's 4096 MiB; the container may have 3000, too.
  OversoldCard() : neighbour_(node_.start("neighbour", {client(), "--hold", "60", "alloc", "3000"})) {
    EXPECT_TRUE(eventually([&] { return node_.stat("device", "granted") == 3000 * kMiB; }));
  }
  ~OversoldCard() override { ::kill(neighbour_, SIGKILL); }
  void oversubscribe() const {
    container_.slice().flags |= abi::kSliceOversubscribe;
    abi::seal(container_.slice());
  }
  const SimNode node_{"[gpu]\nmemory_mib = 4096\n"};
  const Container container_{node_, {3000}};

 private:
  const pid_t neighbour_;
};

TEST_F(OversoldCard, RefusesWhoComesSecond) {
  EXPECT_THAT(container_.run({client(), "alloc", "2000", "500"}, {{"CUDA_OVERSUBSCRIBE", "true"}}).out,
              HasSubstr("cuMemAlloc 2000 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"
                        "cuMemAlloc 500 MiB: CUDA_SUCCESS\n"));
  EXPECT_EQ(container_.committed(), 0U);
}

TEST_F(OversoldCard, GivesManagedMemoryWhereTheSliceSaysSo) {
  oversubscribe();
  const Outcome result = container_.run({client(), "alloc", "2000", "500"}, {{"LIBCUDA_LOG_LEVEL", "2"}});
  EXPECT_THAT(result.out, HasSubstr("cuMemAlloc 2000 MiB: CUDA_SUCCESS\ncuMemAlloc 500 MiB: CUDA_SUCCESS\n"));
  EXPECT_THAT(result.err, HasSubstr("managed memory stands in for 2097152000 bytes"));
}

TEST_F(OversoldCard, CountsManagedMemoryAgainstTheLimitAndShowsIt) {
  oversubscribe();
  EXPECT_THAT(container_.run({client(), "alloc", "2000", "1001"}).out,
              HasSubstr("cuMemAlloc 1001 MiB: CUDA_ERROR_OUT_OF_MEMORY (2)\n"));
  const pid_t holder = container_.start("holder", {client(), "--hold", "60", "alloc", "2000"});
  ASSERT_TRUE(eventually([&] { return container_.committed() == 2000 * kMiB; }));
  EXPECT_THAT(container_.run({sim_file("nvidia-smi")}).out, HasSubstr("2000MiB / 3000MiB"));
  ::kill(holder, SIGKILL);
}

TEST_F(OversoldCard, TakesManagedMemoryBackLikeAnyOther) {
  oversubscribe();
  EXPECT_THAT(container_.run({client(), "--free", "alloc", "2900", "2900", "2900"}).out,
              HasSubstr("2900 MiB: CUDA_SUCCESS\ncuMemAlloc 2900 MiB: CUDA_SUCCESS\n"
                        "cuMemAlloc 2900 MiB: CUDA_SUCCESS\n"));
  EXPECT_EQ(container_.committed(), 0U);
}

TEST_F(OversoldCard, GivesManagedMemoryWithoutASliceWhereTheVariableSaysSo) {
  Environment env = limited(node_, "3000m");
  EXPECT_THAT(node_.run({client(), "alloc", "2000"}, env).out, HasSubstr("OUT_OF_MEMORY"));
  env["CUDA_OVERSUBSCRIBE"] = "true";
  EXPECT_THAT(node_.run({client(), "alloc", "2000"}, env).out,
              HasSubstr("cuMemAlloc 2000 MiB: CUDA_SUCCESS"));
}

}  // namespace
}  // namespace hami::fake
