// Claims: which container of a Pod took which group, for as long as its sandbox lives.

#include "runtime-shim/state/claims.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "oci-config/base/text.h"

namespace hami::state {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKey = "hami.io/vgpu-devices-allocated";

class Claims : public ::testing::Test {
 protected:
  Claims() {
    dir_ = fs::path(::testing::TempDir()) / text::cat({"hami-claims-test-", std::to_string(::getpid())});
    fs::remove_all(dir_);
  }
  ~Claims() override { fs::remove_all(dir_); }

  [[nodiscard]] std::vector<Claim> loaded(const std::string& pod, const std::string& sandbox) const {
    return load_claims(dir_, pod, sandbox).claims;
  }

  fs::path dir_;
};

TEST_F(Claims, AreThePodsUntilItsSandboxIsGone) {
  fs::create_directories(dir_ / "runc/box");
  PodClaims claims{"uid/../x", "box", dir_ / "runc", {}};
  claims.take(kKey, 1, "train");
  ASSERT_TRUE(save_claims(dir_, claims));

  EXPECT_EQ(load_claims(dir_, "uid/../x", "box"), claims);
  EXPECT_TRUE(loaded("uid/../x", "box2").empty()) << "the Pod started anew";
  drop_stale_claims(dir_, 100);
  EXPECT_FALSE(loaded("uid/../x", "box").empty());
  fs::remove_all(dir_ / "runc/box");
  drop_stale_claims(dir_, 100);
  EXPECT_TRUE(loaded("uid/../x", "box").empty());
}

TEST_F(Claims, AGroupIsHeldAgainstOtherContainersOnly) {
  PodClaims claims{"uid", "box", "/run/runc", {}};
  claims.take(kKey, 1, "train");

  EXPECT_EQ(claims.held_by_others(kKey, "other"), std::vector<std::size_t>{1});
  EXPECT_TRUE(claims.held_by_others(kKey, "train").empty());
  EXPECT_TRUE(claims.held_by_others("another list", "other").empty());
}

TEST_F(Claims, AContainerHasOneGroupOfAList) {
  PodClaims claims{"uid", "box", "/run/runc", {}};
  claims.take("key", 1, "train");
  claims.take("key", 2, "train");
  claims.take("other", 0, "train");
  EXPECT_EQ(claims.claims, (std::vector<Claim>{{"key", 2, "train"}, {"other", 0, "train"}}));
}

TEST_F(Claims, AnUnreadableFileIsNone) {
  const PodClaims claims{"uid", "box", "/run/runc", {{"key", 0, "a"}}};
  ASSERT_TRUE(save_claims(dir_, claims));
  for (const auto& entry : fs::directory_iterator(dir_ / "pods")) std::ofstream(entry.path()) << "{";

  EXPECT_TRUE(loaded("uid", "box").empty());
}

}  // namespace
}  // namespace hami::state
