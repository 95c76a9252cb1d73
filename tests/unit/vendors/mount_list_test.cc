// Lists of a board's files: what they may say, and which errors name the line.
#include "vendors/mount_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hami::vendors {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto list = parse_mount_list(text, "/etc/l4t.csv");
  return list ? "none" : list.error().line();
}

TEST(MountList, HasFourKindsOfLines) {
  const auto list = parse_mount_list(
      "# L4T\n\n dev , /dev/nvmap \nlib,/usr/lib/a,b.so\r\ndir, /usr/share/x\nsym, /usr/lib/c.so\n",
      "l4t.csv");
  ASSERT_TRUE(list) << list.error().line();
  EXPECT_THAT(*list, ElementsAre(Listed{ListedKind::device, "/dev/nvmap", 3},
                                 Listed{ListedKind::file, "/usr/lib/a,b.so", 4},
                                 Listed{ListedKind::directory, "/usr/share/x", 5},
                                 Listed{ListedKind::symlink, "/usr/lib/c.so", 6}));
  EXPECT_TRUE(parse_mount_list("", "empty.csv")->empty());
}

TEST(MountList, ErrorsNameFileAndLine) {
  EXPECT_THAT(error_of("dev, /dev/a\nlibrary, /usr/lib/x.so\n"),
              HasSubstr("/etc/l4t.csv:2: expected '<type>, <path>'"));
  EXPECT_THAT(error_of("/dev/nvmap"), HasSubstr("/etc/l4t.csv:1: expected"));
  EXPECT_THAT(error_of("\n\nlib, usr/lib/x.so"),
              HasSubstr("/etc/l4t.csv:3: the path 'usr/lib/x.so' must be absolute"));
}

TEST(MountList, NamesNothingThatNoRecipeMayName) {
  for (const char* line :
       {"dev, /dev/mem", "dev, /etc/passwd", "dev, /dev/../etc", "dir, /", "dir, /etc", "dir, /root/.ssh",
        "lib, /etc/shadow", "lib, /usr/lib/../../etc/shadow", "sym, /proc/self/exe",
        "dir, /var/run/docker.sock/..", "lib, /usr/lib/a\tb", "lib,"})
    EXPECT_NE(error_of(line), "none") << line;
}

TEST(MountList, EndsSomewhere) {
  std::string text;
  for (std::size_t i = 0; i <= kMaxMountListLines; ++i) text += "dev, /dev/x\n";
  EXPECT_THAT(error_of(text), HasSubstr("/etc/l4t.csv:4097: too many entries"));
}

}  // namespace
}  // namespace hami::vendors
