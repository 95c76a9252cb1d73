#include "libvgpu/core/physical.h"

#include <sys/mman.h>

#include <cstring>

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kUnit = std::uint64_t{64} * 1024;  // the driver's granularity is a multiple of this
constexpr unsigned kSizeBits = 40;
constexpr std::uint64_t kSizeMask = (std::uint64_t{1} << kSizeBits) - 1;
constexpr std::uint32_t kFirstPieces = 128;
constexpr std::uint32_t kMaxPieces = 1U << 23U;  // what is left of a word beside the size

std::uint64_t pack(std::uint64_t piece, std::uint64_t size) noexcept {
  return piece << kSizeBits | ((size / kUnit) & kSizeMask);
}
std::uint32_t piece_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> kSizeBits); }
std::uint64_t size_of(std::uint64_t word) noexcept { return (word & kSizeMask) * kUnit; }

}  // namespace

bool PhysicalMemory::grow() noexcept {
  const std::uint32_t capacity = piece_capacity_ == 0 ? kFirstPieces : piece_capacity_ * 2;
  if (capacity > kMaxPieces) return false;
  void* memory =
      ::mmap(nullptr, capacity * sizeof(Piece), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  if (pieces_ != nullptr) {
    std::memcpy(memory, pieces_, piece_count_ * sizeof(Piece));
    ::munmap(pieces_, piece_capacity_ * sizeof(Piece));
  }
  pieces_ = static_cast<Piece*>(memory);
  piece_capacity_ = capacity;
  return true;
}

bool PhysicalMemory::new_piece(std::uint32_t& index) noexcept {
  if (first_free_ != 0) {
    index = first_free_ - 1;
    first_free_ = pieces_[index].next_free;
    return true;
  }
  if (piece_count_ == piece_capacity_ && !grow()) return false;
  index = piece_count_++;
  return true;
}

PhysicalMemory::Freed PhysicalMemory::drop_if_dead(std::uint32_t index) noexcept {
  Piece& piece = pieces_[index];
  if (piece.references != 0 || piece.mappings != 0) return {};
  const bool is_told = piece.keeps == 0;
  const Freed freed{piece.device, is_told ? piece.bytes : 0, is_told ? piece.joint : 0};
  for (std::uint32_t i = 0; i < binding_count_; ++i) {
    if (bindings_[i].object != index || bindings_[i].ending == kOrphan) continue;
    // An object that others know lives on, and what is bound to it.
    if (piece.keeps != 0) ++pieces_[bindings_[i].piece].keeps;
    bindings_[i].ending = kOrphan;
    has_orphans_.store(true, std::memory_order_relaxed);
  }
  piece.next_free = first_free_;
  first_free_ = index + 1;
  return freed;
}

bool PhysicalMemory::create(std::uint64_t handle, unsigned device, std::uint64_t bytes) noexcept {
  const LockGuard guard(lock_);
  std::uint32_t index = 0;
  if (!new_piece(index)) return false;
  pieces_[index] = {.bytes = bytes,
                    .device = device,
                    .references = 1,
                    .mappings = 0,
                    .releasing = 0,
                    .keeps = 0,
                    .next_free = 0,
                    .joint = 0,
                    .is_foreign = false};
  if (handles_.put(handle, index)) return true;
  pieces_[index].references = 0;
  drop_if_dead(index);
  return false;
}

void PhysicalMemory::retain(std::uint64_t handle, std::uint64_t address) noexcept {
  const LockGuard guard(lock_);
  if (const std::uint64_t* known = handles_.find(handle)) {
    ++pieces_[*known].references;
    return;
  }
  Piece* piece = mapped(address);
  if (piece != nullptr && handles_.put(handle, static_cast<std::uint64_t>(piece - pieces_)))
    ++piece->references;
}

PhysicalMemory::Piece* PhysicalMemory::named(std::uint64_t handle) noexcept {
  const std::uint64_t* known = handles_.find(handle);
  return known == nullptr ? nullptr : &pieces_[*known];
}

PhysicalMemory::Piece* PhysicalMemory::mapped(std::uint64_t address) noexcept {
  const std::uint64_t start = address / kUnit * kUnit;
  for (std::uint64_t before = 0; before < longest_ && before <= start; before += kUnit) {
    const std::uint64_t* mapping = mappings_.find(start - before);
    if (mapping == nullptr) continue;
    return size_of(*mapping) > before ? &pieces_[piece_of(*mapping)] : nullptr;
  }
  return nullptr;
}

bool PhysicalMemory::set_joint(std::uint64_t handle, std::uint32_t number) noexcept {
  const LockGuard guard(lock_);
  Piece* piece = named(handle);
  if (piece == nullptr || piece->joint != 0) return false;
  piece->joint = number;
  return true;
}

bool PhysicalMemory::look(std::uint64_t handle, Freed& out) noexcept {
  const LockGuard guard(lock_);
  const Piece* piece = named(handle);
  if (piece == nullptr || piece->is_foreign) return false;
  out = {piece->device, piece->bytes, piece->joint};
  return true;
}

void PhysicalMemory::make_foreign(std::uint64_t handle, unsigned device) noexcept {
  const LockGuard guard(lock_);
  Piece* piece = named(handle);
  if (piece == nullptr) return;
  piece->device = device;
  piece->is_foreign = true;
}

std::uint64_t PhysicalMemory::growth(std::uint64_t handle, std::uint64_t end, unsigned& device) noexcept {
  const LockGuard guard(lock_);
  const Piece* piece = named(handle);
  if (piece == nullptr || !piece->is_foreign || end <= piece->bytes) return 0;
  device = piece->device;
  return end - piece->bytes;
}

void PhysicalMemory::grow_to(std::uint64_t handle, std::uint64_t end) noexcept {
  const LockGuard guard(lock_);
  Piece* piece = named(handle);
  if (piece != nullptr && piece->is_foreign && end > piece->bytes) piece->bytes = end;
}

void PhysicalMemory::keep(std::uint64_t handle) noexcept {
  const LockGuard guard(lock_);
  if (Piece* piece = named(handle)) ++piece->keeps;
}

void PhysicalMemory::keep_at(std::uint64_t address) noexcept {
  const LockGuard guard(lock_);
  if (Piece* piece = mapped(address)) ++piece->keeps;
}

void PhysicalMemory::undo_keep(std::uint64_t handle) noexcept {
  const LockGuard guard(lock_);
  Piece* piece = named(handle);
  if (piece != nullptr && piece->keeps != 0) --piece->keeps;
}

void PhysicalMemory::undo_keep_at(std::uint64_t address) noexcept {
  const LockGuard guard(lock_);
  Piece* piece = mapped(address);
  if (piece != nullptr && piece->keeps != 0) --piece->keeps;
}

void PhysicalMemory::begin_release(std::uint64_t handle, Pending& pending) noexcept {
  const LockGuard guard(lock_);
  const std::uint64_t* known = handles_.find(handle);
  if (known == nullptr || !pending.add({handle, *known})) return;
  Piece& piece = pieces_[*known];
  if (++piece.releasing == piece.references) handles_.erase(handle);
}

PhysicalMemory::Freed PhysicalMemory::end_release(const Pending& pending) noexcept {
  if (pending.count_ == 0) return {};
  const LockGuard guard(lock_);
  const auto index = static_cast<std::uint32_t>(pending.items_[0].word);
  --pieces_[index].releasing;
  --pieces_[index].references;
  return drop_if_dead(index);
}

void PhysicalMemory::restore_release(const Pending& pending) noexcept {
  if (pending.count_ == 0) return;
  const LockGuard guard(lock_);
  --pieces_[pending.items_[0].word].releasing;
  handles_.put(pending.items_[0].name, pending.items_[0].word);
}

bool PhysicalMemory::map(std::uint64_t address, std::uint64_t size, std::uint64_t handle) noexcept {
  const LockGuard guard(lock_);
  const std::uint64_t* known = handles_.find(handle);
  if (known == nullptr) return true;
  const auto index = static_cast<std::uint32_t>(*known);
  if (!mappings_.put(address, pack(index, size))) return false;
  if (size > longest_) longest_ = size;
  ++pieces_[index].mappings;
  return true;
}

bool PhysicalMemory::begin_unmap(std::uint64_t address, std::uint64_t size, Pending& pending) noexcept {
  const LockGuard guard(lock_);
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t* mapping = mappings_.find(address + done);
    if (mapping == nullptr) {
      done += kUnit;
      continue;
    }
    if (!pending.add({address + done, *mapping})) return false;
    done += size_of(*mapping) != 0 ? size_of(*mapping) : kUnit;
    mappings_.erase(pending.items_[pending.count_ - 1].name);
  }
  return true;
}

PhysicalMemory::Freed PhysicalMemory::end_mapping(std::uint64_t word) noexcept {
  const LockGuard guard(lock_);
  --pieces_[piece_of(word)].mappings;
  return drop_if_dead(piece_of(word));
}

void PhysicalMemory::restore_unmap(const Pending& pending) noexcept {
  const LockGuard guard(lock_);
  for (std::size_t i = 0; i < pending.count_; ++i)
    mappings_.put(pending.items_[i].name, pending.items_[i].word);
}

bool PhysicalMemory::add_binding(const Binding& binding) noexcept {
  if (binding_count_ == binding_capacity_) {
    const std::uint32_t capacity = binding_capacity_ == 0 ? 100 : binding_capacity_ * 2;
    void* memory = ::mmap(nullptr, capacity * sizeof(Binding), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    if (bindings_ != nullptr) {
      std::memcpy(memory, bindings_, binding_count_ * sizeof(Binding));
      ::munmap(bindings_, binding_capacity_ * sizeof(Binding));
    }
    bindings_ = static_cast<Binding*>(memory);
    binding_capacity_ = capacity;
  }
  bindings_[binding_count_++] = binding;
  return true;
}

// A binding counts as a mapping of its piece.
std::uint64_t PhysicalMemory::begin_bind(std::uint64_t object, std::uint64_t offset, std::uint64_t size,
                                         std::uint64_t handle, std::uint64_t address) noexcept {
  const LockGuard guard(lock_);
  const Piece* to = named(object);
  Piece* piece = handle != 0 ? named(handle) : mapped(address);
  if (piece == nullptr) return 0;
  Binding binding = {.offset = offset, .size = size, .ending = ++last_number_};
  binding.piece = static_cast<std::uint32_t>(piece - pieces_);
  if (to != nullptr) binding.object = static_cast<std::uint32_t>(to - pieces_);
  if (to == nullptr || !add_binding(binding)) {
    ++piece->keeps;
    return 0;
  }
  ++piece->mappings;
  return binding.ending;
}

std::uint64_t PhysicalMemory::begin_unbind(std::uint64_t object, unsigned device, std::uint64_t offset,
                                           std::uint64_t size) noexcept {
  const LockGuard guard(lock_);
  const Piece* from = named(object);
  const std::uint64_t number = ++last_number_;
  for (std::uint32_t i = 0; from != nullptr && i < binding_count_; ++i) {
    Binding& binding = bindings_[i];
    const bool is_within =
        binding.offset >= offset && binding.size <= size && binding.offset - offset <= size - binding.size;
    if (&pieces_[binding.object] == from && binding.ending == 0 && is_within &&
        pieces_[binding.piece].device == device) {
      binding.ending = number;
    }
  }
  return number;
}

void PhysicalMemory::keep_bound(std::uint64_t number) noexcept {
  const LockGuard guard(lock_);
  for (std::uint32_t i = 0; i < binding_count_; ++i) {
    if (bindings_[i].ending == number) bindings_[i].ending = 0;
  }
}

bool PhysicalMemory::take_ended(std::uint64_t number, Freed& freed) noexcept {
  const LockGuard guard(lock_);
  for (std::uint32_t i = 0; i < binding_count_; ++i) {
    if (bindings_[i].ending != number) continue;
    const std::uint32_t piece = bindings_[i].piece;
    bindings_[i] = bindings_[--binding_count_];
    --pieces_[piece].mappings;
    freed = drop_if_dead(piece);
    return true;
  }
  if (number == kOrphan) has_orphans_.store(false, std::memory_order_relaxed);
  return false;
}

PhysicalMemory::Pending::~Pending() {
  if (items_ != first_) ::munmap(items_, capacity_ * sizeof(Item));
}

bool PhysicalMemory::Pending::add(const Item& item) noexcept {
  if (count_ == capacity_) {
    const std::size_t capacity = capacity_ * 16;
    void* memory =
        ::mmap(nullptr, capacity * sizeof(Item), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    std::memcpy(memory, items_, count_ * sizeof(Item));
    if (items_ != first_) ::munmap(items_, capacity_ * sizeof(Item));
    items_ = static_cast<Item*>(memory);
    capacity_ = capacity;
  }
  items_[count_++] = item;
  return true;
}

void PhysicalMemory::forget() noexcept {
  lock_.reset();
  handles_.clear();
  mappings_.clear();
  if (pieces_ != nullptr) ::munmap(pieces_, piece_capacity_ * sizeof(Piece));
  pieces_ = nullptr;
  piece_capacity_ = piece_count_ = first_free_ = 0;
  longest_ = 0;
  if (bindings_ != nullptr) ::munmap(bindings_, binding_capacity_ * sizeof(Binding));
  bindings_ = nullptr;
  binding_capacity_ = binding_count_ = 0;
  has_orphans_.store(false, std::memory_order_relaxed);
}

}  // namespace hami::vgpu
