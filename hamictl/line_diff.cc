#include "hamictl/line_diff.h"

#include <algorithm>
#include <vector>

#include "oci-config/base/text.h"

namespace hami::hamictl {

namespace {

constexpr std::size_t kMaxLines = 4000;
constexpr std::size_t kContext = 3;

struct Line {
  char mark = ' ';  // ' ' in both, '-' only before, '+' only after
  std::string_view text;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  auto lines = text::split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();  // behind the last line break
  return lines;
}

// Length of the longest common subsequence of the tails that begin at (i, j).
class CommonLengths {
 public:
  CommonLengths(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b)
      : width_(b.size() + 1), cells_((a.size() + 1) * width_) {
    for (std::size_t i = a.size(); i-- > 0;) {
      for (std::size_t j = b.size(); j-- > 0;) {
        at(i, j) = a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  [[nodiscard]] std::uint16_t get(std::size_t i, std::size_t j) const { return cells_[i * width_ + j]; }

 private:
  std::uint16_t& at(std::size_t i, std::size_t j) { return cells_[i * width_ + j]; }
  std::size_t width_;
  std::vector<std::uint16_t> cells_;
};

std::vector<Line> marked_lines(const std::vector<std::string_view>& a,
                               const std::vector<std::string_view>& b) {
  std::vector<Line> out;
  std::size_t i = 0;
  std::size_t j = 0;
  if (a.size() <= kMaxLines && b.size() <= kMaxLines) {
    const CommonLengths common(a, b);
    while (i < a.size() && j < b.size()) {
      if (a[i] == b[j]) {
        out.push_back({' ', a[i++]});
        ++j;
      } else if (common.get(i + 1, j) >= common.get(i, j + 1)) {
        out.push_back({'-', a[i++]});
      } else {
        out.push_back({'+', b[j++]});
      }
    }
  }
  while (i < a.size()) out.push_back({'-', a[i++]});
  while (j < b.size()) out.push_back({'+', b[j++]});
  return out;
}

// Which lines are a change or near one.
std::vector<bool> near_change(const std::vector<Line>& lines) {
  std::vector<bool> shown(lines.size(), false);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].mark == ' ') continue;
    const std::size_t from = i < kContext ? 0 : i - kContext;
    for (std::size_t k = from; k < std::min(lines.size(), i + kContext + 1); ++k) shown[k] = true;
  }
  return shown;
}

std::string hunk(const std::vector<Line>& lines, std::size_t begin, std::size_t end, std::size_t a,
                 std::size_t b) {
  std::size_t in_a = 0;
  std::size_t in_b = 0;
  std::string body;
  for (std::size_t i = begin; i < end; ++i) {
    if (lines[i].mark != '+') ++in_a;
    if (lines[i].mark != '-') ++in_b;
    body += text::cat({{&lines[i].mark, 1}, lines[i].text, "\n"});
  }
  const auto start = [](std::size_t line, std::size_t count) {
    return text::number(count == 0 ? line : line + 1);
  };
  return text::cat({"@@ -", start(a, in_a), ",", text::number(in_a), " +", start(b, in_b), ",",
                    text::number(in_b), " @@\n", body});
}

}  // namespace

std::string line_diff(std::string_view before, std::string_view after, std::string_view name) {
  if (before == after) return {};
  const auto lines = marked_lines(lines_of(before), lines_of(after));
  const auto shown = near_change(lines);
  std::string out = text::cat({"--- ", name, "\n+++ ", name, "\n"});
  std::size_t a = 0;
  std::size_t b = 0;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t end = i;
    while (end < lines.size() && shown[end]) ++end;
    if (end > i) out += hunk(lines, i, end, a, b);
    if (end == i) ++end;
    for (; i < end; ++i) {
      if (lines[i].mark != '+') ++a;
      if (lines[i].mark != '-') ++b;
    }
  }
  return out;
}

}  // namespace hami::hamictl
