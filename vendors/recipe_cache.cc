#include "vendors/recipe_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/pack.h"
#include "vendors/recipe_members.h"
#include "vendors/recipe_yaml.h"

namespace hami::vendors {

namespace {

constexpr std::size_t kMaxCacheBytes = 16U << 20U;
// A file changed twice within the clock's tick keeps its stamp, so what is this fresh is not kept. Seconds.
constexpr std::int64_t kSettled = 2;

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

// What makes a file another one. `newest` becomes its time of change when that is later.
std::string identity(const struct stat& info, std::int64_t& newest) {
  newest = std::max({newest, std::int64_t{info.st_ctim.tv_sec}, std::int64_t{info.st_mtim.tv_sec}});
  std::string out;
  for (const auto value :
       {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
        static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_mtim.tv_sec),
        static_cast<std::uint64_t>(info.st_mtim.tv_nsec), static_cast<std::uint64_t>(info.st_ctim.tv_sec),
        static_cast<std::uint64_t>(info.st_ctim.tv_nsec), static_cast<std::uint64_t>(info.st_uid),
        static_cast<std::uint64_t>(info.st_mode)})
    out += text::cat({" ", text::number(value)});
  return out;
}

struct Stamp {
  std::string text;
  std::int64_t newest = 0;
};

// The files that load_recipes would read, as they are now; nothing when they cannot be looked at.
std::optional<Stamp> stamp_of(const std::vector<std::string>& directories) {
  Stamp stamp;
  for (const auto& directory : directories) {
    stamp.text += directory;
    const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
    struct stat info {};
    if (!dir) {
      stamp.text += " none\n";
      continue;
    }
    if (::fstat(::dirfd(dir.get()), &info) != 0) return std::nullopt;
    stamp.text += identity(info, stamp.newest) + "\n";
    std::vector<std::string> lines;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (!name.ends_with(".yaml") || name.starts_with(".")) continue;
      if (::fstatat(::dirfd(dir.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
      lines.push_back(text::cat({name, identity(info, stamp.newest), "\n"}));
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) stamp.text += line;
  }
  return stamp;
}

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(Errc::io, text::cat({"read kept recipes: ", what}));
}

}  // namespace

std::string KeptRecipes::pack(std::vector<Recipe> recipes, std::string_view stamp) {
  Packer packer;
  std::string head(stamp);
  auto count = static_cast<std::uint32_t>(recipes.size());
  packer(head, count);
  for (Recipe& recipe : recipes) {
    request_members(packer, recipe);
    Packer others;
    other_members(others, recipe);
    std::string rest = others.take();
    packer(rest);
  }
  return text::cat({kRecipeFormat, packer.take()});
}

Result<KeptRecipes> KeptRecipes::unpack(std::string bytes, std::string_view stamp) {
  if (!bytes.starts_with(kRecipeFormat)) return damaged("another format");
  KeptRecipes kept;
  kept.bytes_ = std::move(bytes);
  const std::string_view all = kept.bytes_;
  Unpacker unpacker(all.substr(kRecipeFormat.size()));
  std::string kept_for;
  unpacker(kept_for);
  if (kept_for != stamp) return damaged("the files have changed");
  const std::uint32_t count = unpacker.count();
  for (std::uint32_t i = 0; i < count && !unpacker.is_broken(); ++i) {
    request_members(unpacker, kept.recipes_.emplace_back());
    const std::string_view rest = unpacker.skip();
    kept.rests_.push_back({static_cast<std::size_t>(rest.data() - all.data()), rest.size()});
  }
  if (!unpacker.is_done()) return damaged("not what was written");
  return kept;
}

Result<> KeptRecipes::complete_at(std::size_t index) {
  const Rest rest = std::exchange(rests_[index], Rest{});
  if (rest.size == 0) return {};
  Unpacker unpacker(std::string_view(bytes_).substr(rest.begin, rest.size));
  other_members(unpacker, recipes_[index]);
  if (unpacker.is_done()) return {};
  return read_files();
}

Result<> KeptRecipes::read_files() {
  HAMI_TRY(recipes_, load_recipes(directories_));
  std::erase_if(recipes_, [&](const Recipe& recipe) { return left_out_.contains(recipe.metadata.name); });
  rests_.assign(recipes_.size(), Rest{});
  bytes_.clear();
  return {};
}

Result<const Recipe*> KeptRecipes::complete(std::string_view name) {
  const auto named = [&](const Recipe& recipe) { return recipe.metadata.name == name; };
  auto found = std::find_if(recipes_.begin(), recipes_.end(), named);
  if (found == recipes_.end()) return nullptr;
  HAMI_CHECK(complete_at(static_cast<std::size_t>(found - recipes_.begin())));
  found = std::find_if(recipes_.begin(), recipes_.end(), named);  // they may have been read anew
  return found == recipes_.end() ? nullptr : &*found;
}

Result<> KeptRecipes::complete_all() {
  for (std::size_t i = 0; i < recipes_.size(); ++i) HAMI_CHECK(complete_at(i));
  return {};
}

void KeptRecipes::choose_platform(const HostRoots& roots) {
  left_out_ = left_out(recipes_, roots);
  for (std::size_t i = recipes_.size(); i-- > 0;) {
    if (!left_out_.contains(recipes_[i].metadata.name)) continue;
    recipes_.erase(recipes_.begin() + static_cast<std::ptrdiff_t>(i));
    rests_.erase(rests_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

Result<KeptRecipes> KeptRecipes::load(const std::vector<std::string>& directories, const std::string& cache) {
  const auto stamp = stamp_of(directories);
  if (stamp) {
    auto bytes = files::read_trusted(cache, kMaxCacheBytes, files::Trust::root_owned);
    auto kept = std::move(bytes).and_then(
        [&](std::string&& kept_bytes) { return unpack(std::move(kept_bytes), stamp->text); });
    if (kept) {
      kept->directories_ = directories;
      return kept;
    }
  }
  KeptRecipes fresh;
  fresh.directories_ = directories;
  HAMI_CHECK(fresh.read_files());
  const bool settled = stamp && stamp->newest + kSettled < std::int64_t{std::time(nullptr)};
  if (settled && files::make_dirs(files::dir_name(cache), 0700))
    static_cast<void>(files::write_atomic(cache, pack(fresh.recipes_, stamp->text), 0600));
  return fresh;
}

}  // namespace hami::vendors
