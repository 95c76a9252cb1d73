#include "runtime-shim/schedulers/mig.h"

#include <string>

#include <gtest/gtest.h>

namespace hami::schedulers {
namespace {

TEST(MigSlot, IsASuffixOfTheCardsUuid) {
  EXPECT_EQ(parse_mig_slot("GPU-a[1-0]").value(), (MigSlot{"GPU-a", 1, 0}));
  EXPECT_EQ(parse_mig_slot("GPU-a[1-0-7]").value(), (MigSlot{"GPU-a", 1, 0}));
  EXPECT_EQ(parse_volcano_mig_slot("GPU-a[group1-0]").value(), (VolcanoMigSlot{"GPU-a", "group1", 0}));
  EXPECT_EQ(card_uuid("GPU-a[1-0]"), "GPU-a");
  EXPECT_EQ(card_uuid("GPU-a"), "GPU-a");
}

TEST(MigSlot, SaysWhatIsMissing) {
  EXPECT_EQ(parse_mig_slot("GPU-a[group1-0]").error().message,
            "device 'GPU-a[group1-0]': the template's index is not a number");
  EXPECT_EQ(parse_mig_slot("GPU-a[1]").error().message, "device 'GPU-a[1]': no '-' between the brackets");
  EXPECT_EQ(parse_mig_slot("GPU-a1-0]").error().message, "device 'GPU-a1-0]': no '['");
  EXPECT_EQ(parse_mig_slot("GPU-a[1-0").error().message, "device 'GPU-a[1-0': no ']'");
}

constexpr const char* kEntry =
    R"({"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.10gb","placement":{"start":6,"size":1})";

std::string error_of(const std::string& json) {
  const auto got = parse_mig_allocations(json);
  return got ? "accepted" : got.error().message;
}

TEST(MigAllocations, ReadsReservationsAndMadeInstances) {
  const auto reserved = parse_mig_allocations("[" + std::string(kEntry) + "}]");
  ASSERT_TRUE(reserved) << reserved.error().message;
  EXPECT_EQ(reserved->at(0).profile, "1g.10gb");
  EXPECT_EQ(reserved->at(0).start, 6U);
  EXPECT_FALSE(reserved->at(0).instance);

  const auto made = parse_mig_allocations("[" + std::string(kEntry) +
                                          R"(,"migUUID":"MIG-1","gpuInstanceID":3,"computeInstanceID":0}])");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->at(0).instance->uuid, "MIG-1");
  EXPECT_TRUE(parse_mig_allocations("")->empty());
  EXPECT_TRUE(parse_mig_allocations("[]")->empty());
  EXPECT_TRUE(parse_mig_allocations("null")->empty());
  for (const auto& allocations : {*reserved, *made})
    EXPECT_EQ(parse_mig_allocations(encode_mig_allocations(allocations)).value(), allocations);
}

TEST(MigAllocations, RefusesIncompleteEntries) {
  const std::string entry = kEntry;
  EXPECT_NE(error_of("[" + entry + R"(,"migUUID":"MIG-1"}])").find("has only some of"), std::string::npos);
  EXPECT_NE(error_of("[" + entry + "}," + entry + "}]").find("is the second one"), std::string::npos);
  EXPECT_NE(error_of(R"([{"containerIndex":-1}])").find("containerIndex"), std::string::npos);
  EXPECT_NE(error_of("{}").find("not an array"), std::string::npos);
  EXPECT_NE(error_of("[1]").find("entry 0 is not an object"), std::string::npos);
  EXPECT_NE(error_of("[").find("not JSON"), std::string::npos);
}

}  // namespace
}  // namespace hami::schedulers
