// The most that the containers of a namespace hold together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/ceilings.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::HasSubstr;

Allocation of(std::vector<state::Holding> holdings) {
  Allocation allocation;
  VendorAllocation& vendor = allocation.vendors.emplace_back();
  for (state::Holding& holding : holdings) vendor.grants.emplace_back().holding = std::move(holding);
  return allocation;
}

state::Lease lease_in(const std::string& pod_namespace, std::vector<state::Holding> holdings) {
  state::Lease lease = testing::lease("k", std::move(holdings));
  lease.pod_namespace = pod_namespace;
  return lease;
}

class Ceilings : public ::testing::Test {
 protected:
  std::string refusal(const std::string& pod_namespace, const Allocation& allocation) const {
    const auto checked = check_ceiling(policy_, pod_namespace, allocation, leases_);
    return checked ? "" : checked.error().line();
  }

  Policy policy_;
  std::vector<state::Lease> leases_{lease_in("a", {testing::holding("GPU-0", 3000, 30)}),
                                    lease_in("b", {testing::holding("GPU-0", 9000, 60)})};
};

TEST_F(Ceilings, WhatTheNamespaceHoldsCountsAndNothingElse) {
  policy_.namespaces["a"] = {std::nullopt, Bytes::mib(5000), std::nullopt};
  EXPECT_EQ(refusal("a", of({testing::holding("GPU-1", 2000, 0)})), "");
  EXPECT_THAT(
      refusal("a", of({testing::holding("GPU-1", 2001, 0)})),
      HasSubstr("the container would hold 2001MiB of memory, but namespace 'a' may hold 5000MiB of memory on "
                "this node and holds 3000MiB"));
  EXPECT_EQ(refusal("b", of({testing::holding("GPU-1", 20000, 0)})), "");
}

TEST_F(Ceilings, DevicesAndCoresAreBoundToo) {
  policy_.namespaces["a"] = {2, std::nullopt, Percent{50}};
  EXPECT_EQ(refusal("a", of({testing::holding("GPU-1", 1, 20)})), "");
  EXPECT_THAT(refusal("a", of({testing::holding("GPU-1", 1, 21)})), HasSubstr("may hold 50% of cores"));
  EXPECT_THAT(refusal("a", of({testing::holding("GPU-1", 1, 1), testing::holding("GPU-2", 1, 1)})),
              HasSubstr("may hold 2 devices"));
}

TEST_F(Ceilings, AnyOtherNamespaceHasTheCeilingOfAll) {
  policy_.namespaces["a"] = {};
  policy_.namespaces[kEveryNamespace] = {0, std::nullopt, std::nullopt};
  EXPECT_EQ(refusal("a", of({testing::holding("GPU-1", 1, 1)})), "");
  EXPECT_THAT(refusal("c", of({testing::holding("GPU-1", 1, 1)})),
              HasSubstr("namespace 'c' may hold 0 devices"));
}

TEST_F(Ceilings, AContainerWithoutNamespaceHasNone) {
  policy_.namespaces[kEveryNamespace] = {0, std::nullopt, std::nullopt};
  EXPECT_EQ(refusal("", of({testing::holding("GPU-1", 1, 1)})), "");
}

TEST_F(Ceilings, SumsDoNotOverflow) {
  policy_.namespaces["a"] = {std::nullopt, Bytes::mib(5000), std::nullopt};
  leases_.push_back(lease_in("a", {testing::holding("GPU-0", 1, 1)}));
  leases_.back().holdings[0].memory = Bytes{UINT64_MAX};
  EXPECT_THAT(refusal("a", of({testing::holding("GPU-1", 1, 0)})), HasSubstr("may hold 5000MiB"));
}

}  // namespace
}  // namespace hami::shim
