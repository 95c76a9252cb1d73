// The nvidia-smi look-alike, which is how people see whether a limit is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "tests/fake/sim_node.h"

namespace hami::fake {
namespace {

using ::testing::HasSubstr;

std::string golden(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(std::string(HAMI_SOURCE_DIR "/tests/fake/golden/") + name).rdbuf();
  return text.str();
}

std::string without_first_line(const std::string& text) { return text.substr(text.find('\n') + 1); }

TEST(NvidiaSmi, PrintsTheFamiliarTable) {
  const SimNode node("[gpu]\n[gpu]\nname = NVIDIA H100 80GB HBM3\nmemory_mib = 81559\n");

  const Outcome result = node.run({sim_file("nvidia-smi")});

  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(without_first_line(result.out), golden("nvidia_smi_two_cards.txt"));
}

TEST(NvidiaSmi, ListsProcessesWithTheirMemory) {
  const SimNode node;
  const pid_t child = node.start("one", {client(), "--hold", "60", "alloc", "100"});
  ASSERT_TRUE(eventually([&] { return node.stat("device", "used") == 100 * kMiB; }));

  const Outcome table = node.run({sim_file("nvidia-smi")});
  const Outcome fields = node.run(
      {sim_file("nvidia-smi"), "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  EXPECT_THAT(table.out, HasSubstr("100MiB / 40960MiB"));
  EXPECT_THAT(table.out, HasSubstr("100MiB |\n"));
  EXPECT_EQ(fields.out, std::to_string(child) + ", 100\n");
}

TEST(NvidiaSmi, AnswersTheQuestionsOfScripts) {
  const SimNode node("[gpu]\nuuid = GPU-11111111-2222-3333-4444-555555555555\n");

  EXPECT_EQ(node.run({sim_file("nvidia-smi"), "-L"}).out,
            "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-2222-3333-4444-555555555555)\n");
  EXPECT_EQ(
      node.run({sim_file("nvidia-smi"), "--query-gpu=index,memory.total,memory.used", "--format=csv"}).out,
      "index, memory.total [MiB], memory.used [MiB]\n0, 40960 MiB, 0 MiB\n");
  EXPECT_EQ(node.run({sim_file("nvidia-smi"), "--query-gpu=memory.free,driver_version",
                      "--format=csv,noheader,nounits"})
                .out,
            "40960, 550.90.07\n");
  EXPECT_EQ(node.run({sim_file("nvidia-smi"), "--query-gpu=beauty", "--format=csv"}).status, 2);
}

TEST(NvidiaSmi, SaysWhatIsMissing) {
  const SimNode node;

  const Outcome no_driver = node.run({sim_file("nvidia-smi")}, {{"SIMGPU_STATE", node.file("none")}});
  const Outcome no_library = node.run({sim_file("nvidia-smi")}, {{"LD_LIBRARY_PATH", "/nowhere"}});

  EXPECT_EQ(no_driver.status, 9);
  EXPECT_THAT(no_driver.out, HasSubstr("couldn't communicate with the NVIDIA driver"));
  EXPECT_EQ(no_library.status, 12);
  EXPECT_THAT(no_library.out, HasSubstr("couldn't find libnvidia-ml.so"));
}

}  // namespace
}  // namespace hami::fake
