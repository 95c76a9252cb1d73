#include "hook/library_entries.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "hook/soname.h"
#include "oci-config/base/unique_fd.h"
#include "temp_tree.h"

namespace hami::hook {
namespace {

namespace fs = std::filesystem;

// A shared object that is surely there: the C library this test runs with.
std::string c_library() {
  Dl_info info{};
  return ::dladdr(reinterpret_cast<void*>(&::dlopen), &info) != 0 ? fs::canonical(info.dli_fname).string()
                                                                  : "";
}

std::optional<LibraryName> name_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return library_name(file.get());
}

TEST(Soname, ReadsALibrarysName) {
  const auto name = name_of(c_library());

  ASSERT_TRUE(name);
  EXPECT_EQ(name->soname, "libc.so.6");
#if defined(__x86_64__)
  EXPECT_EQ(name->flags, 0x0303U);
#endif
}

TEST(Soname, SaysNothingOfOtherFiles) {
  const TempTree tree;
  TempTree::write(tree.base() / "text", "\177ELF, but no more");
  TempTree::write(tree.base() / "empty", "");

  EXPECT_FALSE(name_of(tree.base() / "text"));
  EXPECT_FALSE(name_of(tree.base() / "empty"));
  EXPECT_FALSE(name_of("/"));
}

TEST(Soname, SurvivesEveryCut) {
  const TempTree tree;
  const std::string whole = TempTree::read(c_library());
  for (std::size_t size = 1; size < whole.size(); size = size * 3 / 2 + 1) {
    TempTree::write(tree.base() / "cut", whole.substr(0, size));
    const auto name = name_of(tree.base() / "cut");
    EXPECT_TRUE(!name || name->soname == "libc.so.6") << size;
  }
}

class LibraryEntries : public ::testing::Test {
 protected:
  LibraryEntries() {
    fs::create_directories(tree_.rootfs() / "lib64");
    fs::copy_file(c_library(), tree_.rootfs() / "lib64/libc.so.2.99");
  }
  [[nodiscard]] std::vector<CacheEntry> entries(const std::vector<vendors::Link>& links = {}) const {
    const auto result = library_entries(*Root::open(tree_.rootfs()), {"/lib64/libc.so.2.99"}, links);
    EXPECT_TRUE(result) << result.error().line();
    return result.value_or(std::vector<CacheEntry>{});
  }
  TempTree tree_;
};

TEST_F(LibraryEntries, MakeTheLinkProgramsAskFor) {
  const auto found = entries();

  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].name, "libc.so.6");
  EXPECT_EQ(found[0].path, "/lib64/libc.so.6");
  EXPECT_EQ(fs::read_symlink(tree_.rootfs() / "lib64/libc.so.6"), "libc.so.2.99");
}

TEST_F(LibraryEntries, NameTheLinksThatLeadToTheLibrary) {
  const auto found = entries({{"/lib64/libc.so", "libc.so.6"},
                              {"/lib64/libother.so", "libother.so.1"},
                              {"/opt/libc.so", "libc.so.6"},
                              {"/lib64/libc.so.6", "libc.so.2.99"}});

  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].name, "libc.so");
  EXPECT_EQ(found[1].path, "/lib64/libc.so");
}

TEST_F(LibraryEntries, LeaveOutWhatIsNoLibrary) {
  TempTree::write(tree_.rootfs() / "lib64/text.so.1", "text");
  ASSERT_EQ(::mkfifo((tree_.rootfs() / "lib64/fifo.so.1").c_str(), 0600), 0);
  fs::create_symlink(tree_.host() / "secret", tree_.rootfs() / "lib64/away.so.1");

  const auto result = library_entries(
      *Root::open(tree_.rootfs()),
      {"/lib64/text.so.1", "/lib64/fifo.so.1", "/lib64/away.so.1", "/lib64/none.so.1", "/lib64"}, {});

  ASSERT_TRUE(result);
  EXPECT_TRUE(result->empty());
}

}  // namespace
}  // namespace hami::hook
