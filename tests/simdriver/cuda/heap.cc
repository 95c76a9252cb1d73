#include "tests/simdriver/cuda/heap.h"

#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {

// A block of slots of one size.
struct Slab {
  std::uint64_t base;
  Context* context;
  int size_class;
  std::uint32_t slots;
  std::uint32_t used;
  std::uint32_t hint;                              // word of the map to look at first
  std::uint64_t map[kBlock / kSmallGranule / 64];  // a bit for each slot in use
  Slab* next;
  Slab* previous;
  bool listed;  // in its context's list of slabs with room
};

namespace {

constexpr std::uint64_t kFirstAddress = 0x200000000000;  // where the host has nothing
constexpr std::uint64_t kFirstLowAddress = 0x20000000;
constexpr std::uint64_t kLargest = 1ULL << 46;
constexpr std::uint64_t kSmallest = kSmallGranule;
constexpr std::size_t kBuckets = 1U << 17U;
constexpr std::size_t kShards = 64;
constexpr std::size_t kSpares = 256;

struct Shard {
  SpinLock lock;
  char padding[60];
};

Allocation* buckets[kBuckets];
Shard shards[kShards];

struct Range {
  std::uint64_t address;
  std::uint64_t size;
};

SpinLock address_lock;
std::uint64_t next_address = kFirstAddress;
std::uint64_t next_low_address = kFirstLowAddress;
Range spares[kSpares];  // freed ranges: the next allocation of that size gets the same address, as on real
                        // hardware
std::size_t spare_count = 0;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

std::size_t bucket_of(std::uint64_t address) {
  return static_cast<std::size_t>(((address >> 9U) * 0x9e3779b97f4a7c15ULL) >> 47U) & (kBuckets - 1);
}

SpinLock& lock_of(std::size_t bucket) { return shards[bucket % kShards].lock; }

// The class of slots that `size` fits into, or -1 when it needs whole blocks.
int class_of(std::uint64_t size) {
  if (size >= kMiB) return -1;
  int size_class = 0;
  while ((kSmallest << size_class) < size) ++size_class;
  return size_class;
}

// Without exact accounts only whole blocks are recorded in the state.
std::uint64_t granted_in_slot(std::uint64_t size) {
  return state().options.exact != 0 ? round_up(size, kSmallGranule) : 0;
}

std::uint64_t granted_for_block() { return state().options.exact != 0 ? 0 : kBlock; }

Slab* make_slab(Context& context, int size_class) {
  auto* slab = static_cast<Slab*>(calloc(1, sizeof(Slab)));
  if (slab == nullptr) return nullptr;
  slab->base = take_addresses(kBlock);
  slab->context = &context;
  slab->size_class = size_class;
  slab->slots = static_cast<std::uint32_t>(kBlock / (kSmallest << size_class));
  return slab;
}

void link_slab(Slab& slab) {
  Slab*& head = slab.context->slabs[slab.size_class];
  slab.next = head;
  slab.previous = nullptr;
  if (head != nullptr) head->previous = &slab;
  head = &slab;
  slab.listed = true;
}

void unlink_slab(Slab& slab) {
  if (!slab.listed) return;
  if (slab.previous != nullptr) {
    slab.previous->next = slab.next;
  } else {
    slab.context->slabs[slab.size_class] = slab.next;
  }
  if (slab.next != nullptr) slab.next->previous = slab.previous;
  slab.listed = false;
}

std::uint64_t take_slot(Slab& slab) {
  const std::uint32_t words = (slab.slots + 63) / 64;
  for (std::uint32_t i = 0; i < words; ++i) {
    const std::uint32_t word = (slab.hint + i) % words;
    if (~slab.map[word] == 0) continue;
    const auto index = word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(~slab.map[word]));
    if (index >= slab.slots) continue;
    slab.map[word] |= 1ULL << (index % 64);
    slab.hint = word;
    if (++slab.used == slab.slots) unlink_slab(slab);
    return slab.base + index * (kSmallest << slab.size_class);
  }
  return 0;
}

// A slot in a block with room, or in a new block. The amount is charged before anyone can see the slot.
CUresult allocate_slot(Context& context, int size_class, std::uint64_t size, Allocation& out) {
  const SpinGuard guard(context.slab_locks[size_class]);
  const std::uint64_t granted = granted_in_slot(size);
  Slab* slab = context.slabs[size_class];
  if (slab == nullptr) {
    if (!charge(context.device, {kBlock, granted + granted_for_block()})) return CUDA_ERROR_OUT_OF_MEMORY;
    slab = make_slab(context, size_class);
    if (slab == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    link_slab(*slab);
  } else if (granted > 0) {
    charge(context.device, {0, granted});
  }
  out.address = take_slot(*slab);
  out.slab = slab;
  out.charged = {0, granted};
  return CUDA_SUCCESS;
}

void release_slot(const Allocation& allocation) {
  Slab& slab = *allocation.slab;
  Context& context = *slab.context;
  Amount back = allocation.charged;
  const SpinGuard guard(context.slab_locks[slab.size_class]);
  const auto index =
      static_cast<std::uint32_t>((allocation.address - slab.base) / (kSmallest << slab.size_class));
  slab.map[index / 64] &= ~(1ULL << (index % 64));
  slab.hint = index / 64;
  if (slab.used-- == slab.slots) link_slab(slab);
  if (slab.used == 0) {
    unlink_slab(slab);
    give_addresses(slab.base, kBlock);
    back.physical += kBlock;
    back.granted += granted_for_block();
    free(&slab);
  }
  if (back.physical != 0 || back.granted != 0) refund(allocation.device, back);
}

CUresult allocate_blocks(Context& context, std::uint64_t size, Kind kind, Allocation& out) {
  const std::uint64_t bytes = round_up(size, kBlock);
  out.charged = {bytes, bytes};
  if (!charge(context.device, out.charged)) {
    // Managed memory that finds no place on the card stays on the host.
    if (kind != Kind::managed) return CUDA_ERROR_OUT_OF_MEMORY;
    out.charged = {0, 0};
  }
  out.address = take_addresses(bytes);
  return CUDA_SUCCESS;
}

Allocation new_allocation(const Context& context, std::uint64_t size, Kind kind) {
  Allocation made = {};
  made.size = size;
  made.kind = kind;
  made.device = context.device;
  made.context = const_cast<Context*>(&context);
  return made;
}

bool take_spare(std::uint64_t size, std::uint64_t& address) {
  for (std::size_t i = spare_count; i-- > 0;) {
    if (spares[i].size != size) continue;
    address = spares[i].address;
    spares[i] = spares[--spare_count];
    return true;
  }
  return false;
}

}  // namespace

CUresult allocate(Context& context, std::uint64_t size, Kind kind, std::uint64_t& address) {
  if (size == 0) return CUDA_ERROR_INVALID_VALUE;
  if (size > kLargest) return CUDA_ERROR_OUT_OF_MEMORY;
  Allocation made = new_allocation(context, size, kind);
  const int size_class = class_of(size);
  const CUresult result = size_class >= 0 ? allocate_slot(context, size_class, size, made)
                                          : allocate_blocks(context, size, kind, made);
  if (result != CUDA_SUCCESS) return result;
  remember(made);
  address = made.address;
  return CUDA_SUCCESS;
}

CUresult allocate_low(Context& context, std::uint64_t size, std::uint32_t& address) {
  if (size == 0) return CUDA_ERROR_INVALID_VALUE;
  const std::uint64_t bytes = round_up(size, kBlock);
  Allocation made = new_allocation(context, size, Kind::linear);
  made.charged = {bytes, bytes};
  if (!charge(context.device, made.charged)) return CUDA_ERROR_OUT_OF_MEMORY;
  {
    const SpinGuard guard(address_lock);
    made.address = next_low_address;
    next_low_address += bytes;
  }
  if (made.address + bytes > UINT32_MAX) {
    refund(context.device, made.charged);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  remember(made);
  address = static_cast<std::uint32_t>(made.address);
  return CUDA_SUCCESS;
}

std::uint64_t take_addresses(std::uint64_t size) {
  size = round_up(size, kBlock);
  const SpinGuard guard(address_lock);
  std::uint64_t address = 0;
  if (take_spare(size, address)) return address;
  address = next_address;
  next_address += size;
  return address;
}

void give_addresses(std::uint64_t address, std::uint64_t size) {
  if (address < kFirstAddress) return;
  size = round_up(size, kBlock);
  const SpinGuard guard(address_lock);
  if (spare_count == kSpares) {
    memmove(spares, spares + 1, sizeof spares - sizeof spares[0]);
    --spare_count;
  }
  spares[spare_count++] = {address, size};
}

void remember(const Allocation& allocation) {
  auto* record = static_cast<Allocation*>(malloc(sizeof(Allocation)));
  if (record == nullptr) abort();
  *record = allocation;
  const std::size_t bucket = bucket_of(allocation.address);
  const SpinGuard guard(lock_of(bucket));
  record->next = buckets[bucket];
  buckets[bucket] = record;
}

bool find(std::uint64_t address, Allocation& out) {
  const std::size_t bucket = bucket_of(address);
  const SpinGuard guard(lock_of(bucket));
  for (const Allocation* at = buckets[bucket]; at != nullptr; at = at->next) {
    if (at->address != address) continue;
    out = *at;
    return true;
  }
  return false;
}

bool find_around(std::uint64_t address, Allocation& out) {
  if (find(address, out)) return true;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (__atomic_load_n(&buckets[bucket], __ATOMIC_RELAXED) == nullptr) continue;
    const SpinGuard guard(lock_of(bucket));
    for (const Allocation* at = buckets[bucket]; at != nullptr; at = at->next) {
      if (address - at->address >= at->size) continue;
      out = *at;
      return true;
    }
  }
  return false;
}

bool forget(std::uint64_t address, std::uint32_t kinds, Allocation& out) {
  const std::size_t bucket = bucket_of(address);
  Allocation* found = nullptr;
  {
    const SpinGuard guard(lock_of(bucket));
    Allocation** link = &buckets[bucket];
    while (*link != nullptr && (*link)->address != address) link = &(*link)->next;
    if (*link == nullptr || (kinds & bit((*link)->kind)) == 0) return false;
    found = *link;
    *link = found->next;
  }
  out = *found;
  free(found);
  return true;
}

void release(const Allocation& allocation) {
  free(allocation.backing);
  const bool is_shared = allocation.token != 0 && allocation.kind != Kind::host;
  if (is_shared) {
    const Guard guard(state());
    unuse(state(), allocation.token, slot());
  }
  if (allocation.slab != nullptr) {
    release_slot(allocation);
    return;
  }
  give_addresses(allocation.address, allocation.size);
  if (!is_shared && (allocation.charged.physical != 0 || allocation.charged.granted != 0)) {
    refund(allocation.device, allocation.charged);
  }
}

void release_all(Context& context) {
  Allocation* mine = nullptr;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const SpinGuard guard(lock_of(bucket));
    Allocation** link = &buckets[bucket];
    while (*link != nullptr) {
      Allocation* at = *link;
      if (at->context != &context) {
        link = &at->next;
        continue;
      }
      *link = at->next;
      at->next = mine;
      mine = at;
    }
  }
  while (mine != nullptr) {
    Allocation* at = mine;
    mine = at->next;
    release(*at);
    free(at);
  }
}

namespace {

Allocation* find_locked(std::size_t bucket, std::uint64_t address) {
  Allocation* at = buckets[bucket];
  while (at != nullptr && at->address != address) at = at->next;
  return at;
}

}  // namespace

bool set_backing(std::uint64_t address, void* backing) {
  const std::size_t bucket = bucket_of(address);
  const SpinGuard guard(lock_of(bucket));
  Allocation* record = find_locked(bucket, address);
  if (record == nullptr || record->backing != nullptr) return false;
  record->backing = backing;
  return true;
}

bool set_token(std::uint64_t address, std::uint64_t token) {
  const std::size_t bucket = bucket_of(address);
  const SpinGuard guard(lock_of(bucket));
  Allocation* record = find_locked(bucket, address);
  if (record == nullptr) return false;
  record->token = token;
  return true;
}

bool reopen(const Context& context, std::uint64_t token, std::uint64_t& address) {
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (__atomic_load_n(&buckets[bucket], __ATOMIC_RELAXED) == nullptr) continue;
    const SpinGuard guard(lock_of(bucket));
    for (Allocation* at = buckets[bucket]; at != nullptr; at = at->next) {
      if (at->kind != Kind::ipc || at->token != token || at->context != &context) continue;
      ++at->opens;
      address = at->address;
      return true;
    }
  }
  return false;
}

bool close_once(std::uint64_t address) {
  const std::size_t bucket = bucket_of(address);
  const SpinGuard guard(lock_of(bucket));
  Allocation* record = find_locked(bucket, address);
  if (record == nullptr || record->kind != Kind::ipc || record->opens <= 1) return false;
  --record->opens;
  return true;
}

}  // namespace hami::sim
