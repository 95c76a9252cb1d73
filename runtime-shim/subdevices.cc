#include "runtime-shim/subdevices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/state/lock.h"
#include "vendors/probe_process.h"

namespace hami::shim {

namespace {

constexpr std::size_t kMaxRecordBytes = 64U << 10U;
constexpr std::string_view kSuffix = ".json";

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::string directory_of(const std::string& state_dir) { return state_dir + "/subdevices"; }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_record_name(const std::string& name) { return name.front() != '.' && name.ends_with(kSuffix); }

// The path with the number in place of '*'.
std::string numbered(const std::string& list, std::uint32_t number) {
  const auto star = list.find('*');
  return text::cat({list.substr(0, star), text::number(number), list.substr(star + 1)});
}

// Numbers of the subdevices that are there now, ascending. No directory: none.
std::vector<std::uint32_t> present(const std::string& list) {
  const std::string_view last = files::base_name(list);
  const auto before = last.substr(0, last.find('*'));
  const auto after = last.substr(last.find('*') + 1);
  std::vector<std::uint32_t> numbers;
  for (const std::string& name : names_in(files::dir_name(list))) {
    const std::string_view text = name;
    if (text.size() <= before.size() + after.size() || !text.starts_with(before) || !text.ends_with(after))
      continue;
    const auto digits = text.substr(before.size(), text.size() - before.size() - after.size());
    const auto number = text::parse_u64(digits);
    if (number && *number <= UINT32_MAX) numbers.push_back(static_cast<std::uint32_t>(*number));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

bool contains(const std::vector<std::uint32_t>& numbers, std::uint32_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// Tells one subdevice from a later one with the same number. Empty when it is not there.
std::string identity(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  return text::cat({text::number(info.st_dev), ":", text::number(info.st_ino)});
}

std::vector<std::string> with_number(std::vector<std::string> words, std::uint32_t number) {
  const std::string_view mark = vendors::kSubdeviceNumber;
  for (std::string& word : words) {
    for (auto at = word.find(mark); at != std::string::npos; at = word.find(mark, at))
      word.replace(at, mark.size(), text::number(number));
  }
  return words;
}

std::string describe(const state::SubdeviceRecord& record) {
  return text::cat({"slice of ", record.holding.vendor, " device ", record.holding.device,
                    record.number ? text::cat({" (number ", text::number(*record.number), ")"}) : ""});
}

// One per container and device: the idempotency key.
std::string path_in(const std::string& dir, const state::SubdeviceRecord& record) {
  const std::uint64_t device = text::fnv1a(text::cat({record.holding.vendor, "\n", record.holding.device}));
  const std::uint64_t creator =
      text::fnv1a(text::cat({std::to_string(record.creator_pid), "\n", text::number(record.creator_start)}));
  return text::cat({dir, "/", record.key, ".", text::hex64(creator), ".", text::hex64(device), kSuffix});
}

struct Kept {
  std::vector<state::SubdeviceRecord> records;
  std::vector<std::string> findings;
};

Kept read_records(const std::string& dir) {
  Kept out;
  for (const std::string& name : names_in(dir)) {
    if (!is_record_name(name)) continue;
    const std::string path = text::cat({dir, "/", name});
    const auto text = files::read_trusted(path, kMaxRecordBytes, files::Trust::root_owned);
    if (!text && text.error().code == Errc::not_found) continue;  // removed just now
    auto record = text ? state::parse_subdevice(*text) : fail(text.error());
    if (record && path_in(dir, *record) == path) {
      out.records.push_back(*std::move(record));
    } else {
      out.findings.push_back(text::cat(
          {"record ", text::quote(path), ": ", record ? "it is another's" : record.error().message}));
    }
  }
  return out;
}

// Keys of leases with their creators, and of leases that could not be read: theirs may be alive.
struct Owners {
  std::set<std::pair<std::string, std::pair<int, std::uint64_t>>> alive;
  std::set<std::string> doubtful;

  [[nodiscard]] bool own(const state::SubdeviceRecord& record) const {
    return alive.contains({record.key, {record.creator_pid, record.creator_start}}) ||
           doubtful.contains(record.key);
  }
};

Result<Owners> owners(const std::string& state_dir) {
  constexpr std::string_view kAside = ".json.corrupt";
  Owners out;
  HAMI_TRY(const auto ledger, state::Ledger::open(state_dir));
  for (const state::Lease& lease : ledger.leases()) {
    if (lease.damaged) out.doubtful.insert(lease.key);
    out.alive.insert({lease.key, {lease.creator_pid, lease.creator_start}});
  }
  for (const std::string& name : names_in(state_dir + "/ledger")) {
    if (name.ends_with(kAside)) out.doubtful.insert(name.substr(0, name.size() - kAside.size()));
  }
  return out;
}

}  // namespace

Result<Subdevices> Subdevices::open(const std::string& state_dir, int timeout_ms) {
  Subdevices out;
  out.state_dir_ = state_dir;
  out.dir_ = directory_of(state_dir);
  HAMI_CHECK(files::make_dirs(out.dir_, 0700));
  HAMI_TRY(out.lock_, state::lock_file(out.dir_ + "/lock", timeout_ms));
  out.load();
  return out;
}

void Subdevices::load() {
  auto kept = read_records(dir_);
  records_ = std::move(kept.records);
  findings_ = std::move(kept.findings);
}

std::string Subdevices::path_of(const state::SubdeviceRecord& record) const { return path_in(dir_, record); }

Result<> Subdevices::save(const state::SubdeviceRecord& record) {
  HAMI_CHECK(files::write_atomic(path_of(record), state::to_json(record), 0600));
  const std::string path = path_of(record);
  std::erase_if(records_, [&](const auto& other) { return path_of(other) == path; });
  records_.push_back(record);
  return {};
}

Result<> Subdevices::forget(const state::SubdeviceRecord& record) {
  const std::string path = path_of(record);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
  const UniqueFd dir(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir) ::fsync(dir.get());
  std::erase_if(records_, [&](const auto& other) { return path_of(other) == path; });
  return {};
}

Result<std::uint32_t> Subdevices::create(const state::Lease& lease, const state::Holding& holding,
                                         const vendors::SubdevicePlan& plan) {
  state::SubdeviceRecord record;
  record.key = lease.key;
  record.creator_pid = lease.creator_pid;
  record.creator_start = lease.creator_start;
  record.holding = holding;
  record.list = plan.list;
  record.before = present(plan.list);
  record.destroy = plan.destroy.arguments;
  record.destroy.insert(record.destroy.begin(), plan.destroy.program);
  for (const auto& other : records_) {
    if (path_of(other) != path_of(record)) continue;
    if (!other.identity.empty() && other.number &&
        identity(numbered(other.list, *other.number)) == other.identity)
      return *other.number;  // made before, for this very request
    HAMI_CHECK(destroy(state::SubdeviceRecord(other)));
    break;
  }
  for (std::uint32_t i = 0; i < plan.count && !record.number; ++i) {
    const std::uint32_t number = plan.first + i;
    const bool recorded = std::any_of(records_.begin(), records_.end(), [&](const auto& other) {
      return other.list == record.list && other.number == number;
    });
    if (!recorded && !contains(record.before, number)) record.number = number;
  }
  if (plan.count != 0 && !record.number) {
    return fail(Errc::exhausted,
                text::cat({"make a slice of ", holding.vendor, " device ", holding.device,
                           ": the driver has no number left for it"}),
                "delete a container that has a slice of it");
  }
  HAMI_CHECK(save(record));
  auto made = make(record, plan);
  if (made) return made;
  Error error = std::move(made).error().within(text::cat({"make a ", describe(record)}));
  if (error.hint.empty()) error.hint = plan.hint;
  if (const auto undone = destroy(record); !undone)
    error.message += text::cat({"; and cannot undo it: ", undone.error().message});
  return fail(std::move(error));
}

Result<std::uint32_t> Subdevices::make(state::SubdeviceRecord& record, const vendors::SubdevicePlan& plan) {
  const auto words = with_number(plan.create.arguments, record.number.value_or(0));
  HAMI_TRY(const auto answer, vendors::run_probe(plan.create.program, words, plan.timeout_ms, lock_.get()));
  std::optional<std::uint32_t> number = record.number;
  if (!number && !text::trim(answer).empty()) {
    const auto told = text::parse_u64(text::trim(answer));
    if (!told || *told > UINT32_MAX) {
      return fail(Errc::io, text::cat({"the vendor's program answers ", text::quote(text::trim(answer), 60),
                                       ", which is no number"}));
    }
    number = static_cast<std::uint32_t>(*told);
  }
  HAMI_TRY(const auto fresh, candidates(record));
  if (!number && fresh.size() == 1) number = fresh.front();
  if (!number || !contains(fresh, *number)) {
    return fail(Errc::io, text::cat({"the vendor's program reports success, but ",
                                     text::quote(number ? numbered(record.list, *number) : record.list),
                                     " is not there"}));
  }
  record.number = number;
  record.identity = identity(numbered(record.list, *number));
  HAMI_CHECK(save(record));
  return *number;
}

// Subdevices that are there, were not there before, and are nobody else's on record.
Result<std::vector<std::uint32_t>> Subdevices::candidates(const state::SubdeviceRecord& record) const {
  std::vector<std::uint32_t> fresh = present(record.list);
  std::erase_if(fresh, [&](std::uint32_t number) {
    if (record.number && *record.number != number) return true;
    if (contains(record.before, number)) return true;
    return std::any_of(records_.begin(), records_.end(), [&](const auto& other) {
      return path_of(other) != path_of(record) && other.list == record.list && other.number == number;
    });
  });
  return fresh;
}

Result<> Subdevices::destroy(const state::SubdeviceRecord& record) {
  std::vector<std::uint32_t> ours;
  HAMI_TRY(ours, candidates(record));
  // The number may be somebody else's by now.
  if (!record.identity.empty()) {
    std::erase_if(ours, [&](std::uint32_t number) {
      return identity(numbered(record.list, number)) != record.identity;
    });
  }
  if (ours.empty()) return forget(record);
  if (ours.size() > 1) {
    return fail(
        Errc::io,
        text::cat({"destroy a ", describe(record), ": several are new at ", text::quote(record.list)}),
        "destroy those that nobody uses with the vendor's tool");
  }
  auto words = with_number(record.destroy, ours.front());
  const std::string program = std::move(words.front());
  words.erase(words.begin());
  const auto told = vendors::run_probe(program, words, vendors::kDriverCallMs, lock_.get());
  if (!contains(present(record.list), ours.front())) return forget(record);
  const std::string why = told ? "the vendor's program reports success, but it is still there"
                               : std::string(told.error().message);
  return fail(Errc::io, text::cat({"destroy a ", describe(record), ": ", why}));
}

Result<std::vector<std::string>> Subdevices::reclaim() {
  std::vector<std::string> problems;
  if (records_.empty()) return problems;
  HAMI_TRY(const Owners alive, owners(state_dir_));
  const std::vector<state::SubdeviceRecord> all = records_;
  for (const auto& record : all) {
    if (alive.own(record)) continue;
    if (const auto gone = destroy(record); !gone) problems.push_back(gone.error().line());
  }
  return problems;
}

std::vector<state::SubdeviceRecord> subdevices_left(const std::string& state_dir,
                                                    const std::vector<state::Lease>& leases) {
  auto kept = read_records(directory_of(state_dir));
  std::erase_if(kept.records, [&](const state::SubdeviceRecord& record) {
    return std::any_of(leases.begin(), leases.end(), [&](const state::Lease& lease) {
      return lease.key == record.key && lease.creator_pid == record.creator_pid &&
             lease.creator_start == record.creator_start;
    });
  });
  return std::move(kept.records);
}

bool has_subdevices(const std::string& state_dir) {
  const auto names = names_in(directory_of(state_dir));
  return std::any_of(names.begin(), names.end(), is_record_name);
}

std::vector<std::string> reclaim_subdevices(const std::string& state_dir) {
  if (!has_subdevices(state_dir)) return {};
  auto all = Subdevices::open(state_dir);
  if (!all) return {all.error().line()};
  auto problems = all->reclaim();
  if (!problems) return {problems.error().line()};
  problems->insert(problems->end(), all->findings().begin(), all->findings().end());
  return *std::move(problems);
}

}  // namespace hami::shim
