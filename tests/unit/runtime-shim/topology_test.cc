// Several devices for one container are near each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime-shim/allocation.h"
#include "runtime-shim/topology.h"
#include "tests/unit/runtime-shim/fixtures.h"

namespace hami::shim {
namespace {

using ::testing::ElementsAre;

std::string address(std::size_t i) { return text::cat({"0000:0", text::number(i), ":00.0"}); }

// Eight cards: four under each host bridge, two under each PCI switch.
class Topology : public ::testing::Test {
 protected:
  Topology() : node_{testing::recipe(), testing::inventory(8)} {
    for (std::size_t i = 0; i < 8; ++i) {
      vendors::Device& device = cards()[i];
      device.pci_bus_id = address(i);
      device.pci_path = {i < 4 ? "pci0000:00" : "pci0000:80", text::cat({"switch", text::number(i / 2)})};
    }
  }

  std::vector<vendors::Device>& cards() { return node_.inventory.devices; }

  void link(std::size_t a, std::size_t b) {
    cards()[a].links.push_back(address(b));
    cards()[b].links.push_back(address(a));
  }
  void occupy(std::size_t card, std::uint64_t mib = 40960) {
    leases_.push_back(testing::lease(text::cat({"k", text::number(card)}),
                                     {testing::holding(cards()[card].uuid, mib, 10, mib == 40960)}));
  }
  std::vector<std::size_t> ask(const std::string& count,
                               const std::map<std::string, std::string>& more = {}) {
    std::map<std::string, std::string> words{{"nvidia.com/gpu", count}};
    words.insert(more.begin(), more.end());
    const auto request = parse_request(testing::annotated(words), {node_.recipe}, Policy{});
    const auto got = allocate(**request, {node_}, leases_, Policy{});
    std::vector<std::size_t> out;
    EXPECT_TRUE(got) << (got ? "" : got.error().line());
    if (!got) return out;
    for (const Grant& grant : got->vendors[0].grants) out.push_back(grant.device);
    return out;
  }

  VendorNode node_;
  std::vector<state::Lease> leases_;
};

TEST_F(Topology, DistancesAreLinksThenSwitchesThenBridgesThenNodes) {
  link(0, 7);
  const auto apart = [&](std::size_t a, std::size_t b) {
    return distance(node_.recipe, cards()[a], cards()[b]);
  };
  EXPECT_LT(apart(0, 7), apart(0, 1));
  EXPECT_LT(apart(0, 1), apart(0, 2));
  EXPECT_LT(apart(0, 2), apart(0, 4));
  cards()[1].pci_path.clear();
  EXPECT_LT(apart(0, 2), apart(0, 1)) << "only the NUMA node is known";
  EXPECT_LT(apart(0, 1), apart(0, 4));
  for (std::size_t i : {0U, 4U}) {
    cards()[i].pci_path.clear();
    cards()[i].numa_node = -1;
  }
  cards()[1].numa_node = 0;
  cards()[5].pci_path.clear();
  EXPECT_EQ(apart(0, 4), apart(1, 5)) << "two nodes that are not known are not one";
}

TEST_F(Topology, CardsUnderOneSwitchAreGivenTogether) {
  occupy(0);
  EXPECT_THAT(ask("2"), ElementsAre(2, 3));
  EXPECT_THAT(ask("4"), ElementsAre(4, 5, 6, 7));
}

TEST_F(Topology, LinkedCardsComeBeforeThoseUnderOneSwitch) {
  link(1, 6);
  EXPECT_THAT(ask("2"), ElementsAre(1, 6));
  link(2, 5);
  link(2, 5);
  EXPECT_THAT(ask("2"), ElementsAre(2, 5)) << "two links are nearer than one";
}

TEST_F(Topology, CardsOfOneLinkSwitchAreLinked) {
  for (const std::size_t i : {1U, 4U, 6U}) cards()[i].links = {"0000:f0:00.0"};
  EXPECT_THAT(ask("3"), ElementsAre(1, 4, 6));
}

TEST_F(Topology, PackingComesFirstAndTheNearestJoins) {
  occupy(5, 1000);
  const std::map<std::string, std::string> part{{"nvidia.com/gpumem", "1000"}};
  EXPECT_THAT(ask("2", part), ElementsAre(4, 5)) << "the fullest card, and its neighbour";
}

TEST_F(Topology, TheTopologyPolicyLooksAtAllCardsWithRoom) {
  occupy(5, 1000);
  occupy(4);
  const std::map<std::string, std::string> part{{"nvidia.com/gpumem", "1000"},
                                                {"hami.io/gpu-scheduler-policy", "topology-aware"}};
  EXPECT_THAT(ask("2", part), ElementsAre(6, 7));
}

TEST_F(Topology, CardsOfOneRingAreGivenTogether) {
  node_.recipe.resources.models = {{"NVIDIA A100-PCIE-40GB", {"huawei.com/Ascend910A"}, {}, {}, 1, 4}};
  for (vendors::Device& card : cards()) {
    card.pci_path.clear();
    card.numa_node = -1;
  }
  occupy(0);
  occupy(2);
  EXPECT_THAT(ask("4"), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(ask("2"), ElementsAre(1, 3));
}

}  // namespace
}  // namespace hami::shim
