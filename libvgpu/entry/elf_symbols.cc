#include "libvgpu/entry/elf_symbols.h"

#include <elf.h>
#include <link.h>

#include <cstdint>

#include "libvgpu/core/library.h"

namespace hami::vgpu {
namespace {

struct Search {
  const char* symbol;
  std::uint32_t hash;
  void* found;
};

// What PT_DYNAMIC says about an object's symbols.
struct Symbols {
  const ElfW(Sym) * table = nullptr;
  const char* names = nullptr;
  const std::uint32_t* gnu_hash = nullptr;
  const std::uint32_t* sysv_hash = nullptr;
};

const ElfW(Phdr) * find_segment(const dl_phdr_info& object, ElfW(Word) type) noexcept {
  for (unsigned i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type == type) return &object.dlpi_phdr[i];
  }
  return nullptr;
}

bool contains(const dl_phdr_info& object, const void* address) noexcept {
  const auto at = reinterpret_cast<ElfW(Addr)>(address);
  for (unsigned i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object.dlpi_phdr[i];
    const ElfW(Addr) start = object.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && at >= start && at - start < segment.p_memsz) return true;
  }
  return false;
}

// The loader relocates these addresses in place for most objects, not for the kernel's vDSO.
template <typename T>
const T* pointer(const dl_phdr_info& object, ElfW(Addr) value) noexcept {
  return reinterpret_cast<const T*>(value < object.dlpi_addr ? value + object.dlpi_addr : value);
}

Symbols read_symbols(const dl_phdr_info& object) noexcept {
  Symbols symbols;
  const ElfW(Phdr)* dynamic = find_segment(object, PT_DYNAMIC);
  if (dynamic == nullptr) return symbols;
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + dynamic->p_vaddr);
  for (; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_SYMTAB) symbols.table = pointer<ElfW(Sym)>(object, entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) symbols.names = pointer<char>(object, entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) symbols.gnu_hash = pointer<std::uint32_t>(object, entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) symbols.sysv_hash = pointer<std::uint32_t>(object, entry->d_un.d_ptr);
  }
  return symbols;
}

bool is_wanted(const Symbols& symbols, std::uint32_t index, const char* name) noexcept {
  const ElfW(Sym)& symbol = symbols.table[index];
  return symbol.st_shndx != SHN_UNDEF && (symbol.st_info & 15) == STT_FUNC &&
         is_same_text(symbols.names + symbol.st_name, name);
}

// Layout: bucket count, first symbol, Bloom words, Bloom shift; Bloom filter; buckets; chains. The lowest bit
// of a chain word ends a bucket.
std::uint32_t find_gnu(const Symbols& symbols, const char* name, std::uint32_t hash) noexcept {
  const std::uint32_t bucket_count = symbols.gnu_hash[0];
  const std::uint32_t first = symbols.gnu_hash[1];
  const std::uint32_t bloom_words = symbols.gnu_hash[2];
  if (bucket_count == 0) return 0;
  const std::uint32_t* buckets =
      symbols.gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(std::uint32_t));
  const std::uint32_t* chains = buckets + bucket_count;
  std::uint32_t index = buckets[hash % bucket_count];
  if (index < first) return 0;
  for (;; ++index) {
    const std::uint32_t word = chains[index - first];
    if ((word | 1U) == (hash | 1U) && is_wanted(symbols, index, name)) return index;
    if ((word & 1U) != 0) return 0;
  }
}

// Layout: bucket count, symbol count, buckets, chains.
std::uint32_t find_sysv(const Symbols& symbols, const char* name) noexcept {
  const std::uint32_t count = symbols.sysv_hash[1];
  for (std::uint32_t index = 1; index < count; ++index) {
    if (is_wanted(symbols, index, name)) return index;
  }
  return 0;
}

// Not zero: found, look no further.
int look_into(const dl_phdr_info& object, Search& search) noexcept {
  const Symbols symbols = read_symbols(object);
  if (symbols.table == nullptr || symbols.names == nullptr) return 0;
  std::uint32_t index = 0;
  if (symbols.gnu_hash != nullptr) {
    index = find_gnu(symbols, search.symbol, search.hash);
  } else if (symbols.sysv_hash != nullptr) {
    index = find_sysv(symbols, search.symbol);
  }
  if (index == 0) return 0;
  search.found = reinterpret_cast<void*>(object.dlpi_addr + symbols.table[index].st_value);
  return 1;
}

int visit_others(dl_phdr_info* object, std::size_t, void* data) noexcept {
  if (contains(*object, reinterpret_cast<const void*>(&find_in_other_objects))) return 0;
  return look_into(*object, *static_cast<Search*>(data));
}

struct SearchBehind {
  const void* caller;
  bool is_behind;
  Search search;
};

int visit_behind(dl_phdr_info* object, std::size_t, void* data) noexcept {
  auto& behind = *static_cast<SearchBehind*>(data);
  if (behind.is_behind) return look_into(*object, behind.search);
  behind.is_behind = contains(*object, behind.caller);
  return 0;
}

struct Order {
  const void* first;
  const void* second;
  bool is_first_seen;
  bool is_before;
};

int visit_order(dl_phdr_info* object, std::size_t, void* data) noexcept {
  auto& order = *static_cast<Order*>(data);
  if (contains(*object, order.second)) {
    order.is_before = order.is_first_seen;
    return 1;
  }
  order.is_first_seen = order.is_first_seen || contains(*object, order.first);
  return 0;
}

}  // namespace

struct ObjectSearch {
  const void* address;
  LoadedObject found;

  static int visit(dl_phdr_info* object, std::size_t, void* data) noexcept {
    auto& search = *static_cast<ObjectSearch*>(data);
    if (!contains(*object, search.address)) return 0;
    const Symbols symbols = read_symbols(*object);
    search.found.path_ = object->dlpi_name;
    search.found.base_ = object->dlpi_addr;
    search.found.table_ = symbols.table;
    search.found.names_ = symbols.names;
    search.found.gnu_hash_ = symbols.gnu_hash;
    return 1;
  }
};

LoadedObject LoadedObject::at(const void* address) noexcept {
  ObjectSearch search = {address, {}};
  ::dl_iterate_phdr(ObjectSearch::visit, &search);
  return search.found;
}

void* LoadedObject::find(const char* symbol, std::uint32_t hash) const noexcept {
  if (table_ == nullptr || names_ == nullptr || gnu_hash_ == nullptr) return nullptr;
  const Symbols symbols = {static_cast<const ElfW(Sym)*>(table_), names_, gnu_hash_, nullptr};
  const std::uint32_t index = find_gnu(symbols, symbol, hash);
  return index == 0 ? nullptr : reinterpret_cast<void*>(base_ + symbols.table[index].st_value);
}

void* find_in_other_objects(const char* symbol) noexcept {
  Search search = {symbol, symbol_hash(symbol), nullptr};
  ::dl_iterate_phdr(visit_others, &search);
  return search.found;
}

void* find_behind(const void* caller, const char* symbol) noexcept {
  SearchBehind behind = {caller, false, {symbol, symbol_hash(symbol), nullptr}};
  ::dl_iterate_phdr(visit_behind, &behind);
  return behind.search.found;
}

bool is_before(const void* first, const void* second) noexcept {
  Order order = {first, second, false, false};
  ::dl_iterate_phdr(visit_order, &order);
  return order.is_before;
}

}  // namespace hami::vgpu
