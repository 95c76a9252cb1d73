// Physical memory that handles name and mappings keep alive: it is gone when its last handle is released and
// its last mapping is removed, in whatever order.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "libvgpu/core/lock.h"
#include "libvgpu/core/word_map.h"

namespace hami::vgpu {

class PhysicalMemory {
 public:
  // What came free.
  struct Freed {
    unsigned device = 0;
    std::uint64_t bytes = 0;
    std::uint32_t joint = 0;  // what to let go instead; see set_joint()

    bool any() const noexcept { return bytes != 0 || joint != 0; }
  };

  // A new piece with one reference, named by `handle`. bytes: 0 for memory that is not ours to charge. False
  // when there is no memory to remember it.
  bool create(std::uint64_t handle, unsigned device, std::uint64_t bytes) noexcept;

  // The piece of `handle` is known to other processes as the joint piece `number`, above 0: that is told when
  // it is gone. False when the handle is unknown, or its piece has such a number.
  bool set_joint(std::uint64_t handle, std::uint32_t number) noexcept;

  // What would be told of the piece now, if it were gone. False when the handle is unknown.
  bool look(std::uint64_t handle, Freed& out) noexcept;

  // Memory of another container: its size shows in its mappings. `handle` has no bytes so far.
  void make_foreign(std::uint64_t handle, unsigned device) noexcept;
  // Bytes by which a mapping of its first `end` bytes goes beyond what is known of it; 0 for what is ours.
  std::uint64_t growth(std::uint64_t handle, std::uint64_t end, unsigned& device) noexcept;
  void grow_to(std::uint64_t handle, std::uint64_t end) noexcept;

  // One more reference to the piece whose mapping has `address`; the driver named it `handle`.
  void retain(std::uint64_t handle, std::uint64_t address) noexcept;

  // A reference or mappings whose end the driver has not confirmed yet. Their names are out of the tables
  // already, because the driver may give them to another thread the moment it is done; end() or restore()
  // must follow.
  class Pending {
   public:
    Pending() noexcept = default;
    ~Pending();
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

   private:
    friend class PhysicalMemory;
    struct Item {
      std::uint64_t name;
      std::uint64_t word;
    };
    bool add(const Item& item) noexcept;
    Item first_[16];
    Item* items_ = first_;
    std::size_t capacity_ = 16;
    std::size_t count_ = 0;
  };

  // One reference of `handle` is about to be released.
  void begin_release(std::uint64_t handle, Pending& pending) noexcept;
  // The driver said yes: what came free.
  Freed end_release(const Pending& pending) noexcept;
  // The driver said no.
  void restore_release(const Pending& pending) noexcept;

  // `size` bytes at `address` are a mapping of `handle` from now on. Handles that we do not know are none of
  // our business. False when there is no memory to remember it.
  bool map(std::uint64_t address, std::uint64_t size, std::uint64_t handle) noexcept;

  // The mappings in [address, address + size) are about to be removed. False when there is no memory to note
  // them.
  bool begin_unmap(std::uint64_t address, std::uint64_t size, Pending& pending) noexcept;
  // The driver said yes: calls visit(Freed) for what came free.
  template <typename Visit>
  void end_unmap(const Pending& pending, Visit visit) noexcept {
    for (std::size_t i = 0; i < pending.count_; ++i) {
      const Freed freed = end_mapping(pending.items_[i].word);
      if (freed.any()) visit(freed);
    }
  }
  // The driver said no.
  void restore_unmap(const Pending& pending) noexcept;

  // Multicast objects are pieces without bytes of their own; what is bound to one lives without its handle
  // until it is unbound or the object is gone.
  struct Binding {
    std::uint64_t offset = 0;  // in the object
    std::uint64_t size = 0;
    std::uint32_t object = 0;  // a piece
    std::uint32_t piece = 0;
    std::uint64_t ending = 0;  // the number of the unbinding under way; 0: none
  };
  // The piece that `handle` names, or else whose mapping has `address`, is about to be bound to `object`.
  // Returns a number for keep_bound() or, when the driver said no, end_unbind(). 0 when the object is
  // unknown: then the piece is kept as by keep().
  std::uint64_t begin_bind(std::uint64_t object, std::uint64_t offset, std::uint64_t size,
                           std::uint64_t handle, std::uint64_t address) noexcept;

  // What is bound to `object` within [offset, offset + size) on `device` is about to be unbound. Returns a
  // number for end_unbind() or, when the driver said no, keep_bound().
  std::uint64_t begin_unbind(std::uint64_t object, unsigned device, std::uint64_t offset,
                             std::uint64_t size) noexcept;
  void keep_bound(std::uint64_t number) noexcept;
  // It is no longer bound: calls visit(Freed) for what came free.
  template <typename Visit>
  void end_unbind(std::uint64_t number, Visit visit) noexcept {
    Freed freed;
    while (take_ended(number, freed)) {
      if (freed.any()) visit(freed);
    }
  }
  // The same for what was bound to objects that are gone. After end_release() and end_unmap().
  template <typename Visit>
  void end_orphans(Visit visit) noexcept {
    if (has_orphans_) end_unbind(kOrphan, visit);
  }

  // The piece that `handle` names, or whose mapping has `address`, may live on where nobody here sees it: its
  // bytes are not told when its last reference and mapping go. Pieces that we do not know are none of our
  // business.
  void keep(std::uint64_t handle) noexcept;
  void keep_at(std::uint64_t address) noexcept;
  // One keep() of it did not happen after all.
  void undo_keep(std::uint64_t handle) noexcept;
  void undo_keep_at(std::uint64_t address) noexcept;

  // In the child of a fork.
  void forget() noexcept;

 private:
  struct Piece {
    std::uint64_t bytes;
    std::uint32_t device;
    std::uint32_t references;
    std::uint32_t mappings;
    std::uint32_t releasing;  // of the references: begun and not ended
    std::uint32_t keeps;
    std::uint32_t next_free;  // index + 1
    std::uint32_t joint;
    bool is_foreign;
  };

  static constexpr std::uint64_t kOrphan = ~std::uint64_t{0};

  bool take_ended(std::uint64_t number, Freed& freed) noexcept;
  bool add_binding(const Binding& binding) noexcept;
  Piece* named(std::uint64_t handle) noexcept;
  Piece* mapped(std::uint64_t address) noexcept;  // `address` may be anywhere in the mapping
  bool new_piece(std::uint32_t& index) noexcept;
  bool grow() noexcept;
  Freed drop_if_dead(std::uint32_t index) noexcept;
  Freed end_mapping(std::uint64_t word) noexcept;

  SpinLock lock_;
  WordMap handles_;            // handle → piece
  WordMap mappings_;           // address → piece and size, see pack()
  std::uint64_t longest_ = 0;  // bytes of the longest mapping there ever was
  Piece* pieces_ = nullptr;
  std::uint32_t piece_capacity_ = 0;
  std::uint32_t piece_count_ = 0;
  std::uint32_t first_free_ = 0;  // index + 1
  Binding* bindings_ = nullptr;   // few: a program binds each card's part of an object once
  std::uint32_t binding_capacity_ = 0;
  std::uint32_t binding_count_ = 0;
  std::uint64_t last_number_ = 0;
  std::atomic<bool> has_orphans_{false};
};

}  // namespace hami::vgpu
