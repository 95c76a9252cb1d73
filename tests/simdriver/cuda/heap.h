// Device memory of this process: addresses, and what they stand for.
//
// Up to 1 MiB an allocation is a slot of a 2 MiB block that its context shares among allocations of about
// that size; larger ones are whole blocks. Only blocks are taken from the card.
#pragma once

#include <cstdint>

#include "tests/simdriver/cuda/context.h"

namespace hami::sim {

enum class Kind : std::uint32_t {
  linear,
  managed,
  pool,
  graph,
  external,
  ipc,
  host,
  registered,
  code,
  array
};

// What one address stands for.
struct Allocation {
  std::uint64_t address;
  std::uint64_t size;  // as asked for
  Kind kind;
  std::uint32_t device;  // index in State::devices
  Amount charged;        // what its end gives back, besides its block
  Context* context;
  Slab* slab;           // null: whole blocks
  void* owner;          // pool, external memory … it came from
  std::uint64_t token;  // in State::shared; 0: none
  std::uint32_t opens;  // of an IPC handle
  void* backing;        // host memory that copies use; may be null
  Allocation* next;
};

// Takes `size` bytes for `context`. Charges them.
CUresult allocate(Context& context, std::uint64_t size, Kind kind, std::uint64_t& address);

// The same below 4 GiB, for the interfaces with 32-bit addresses.
CUresult allocate_low(Context& context, std::uint64_t size, std::uint32_t& address);

// Addresses without memory: what reservations, imports and pools are made of. Multiples of 2 MiB.
std::uint64_t take_addresses(std::uint64_t size);
void give_addresses(std::uint64_t address, std::uint64_t size);

// Records what an address stands for; the record is copied.
void remember(const Allocation& allocation);

// The record that begins at `address`; the one that holds `address`. False when there is none.
bool find(std::uint64_t address, Allocation& out);
bool find_around(std::uint64_t address, Allocation& out);

// Removes a record of one of the kinds in `kinds` (a bit each) and returns it. False when there is none.
bool forget(std::uint64_t address, std::uint32_t kinds, Allocation& out);
constexpr std::uint32_t bit(Kind kind) { return 1U << static_cast<std::uint32_t>(kind); }

// Ends an allocation that was taken out by forget(): memory and addresses go back.
void release(const Allocation& allocation);

// Ends everything of a context.
void release_all(Context& context);

// Sets the host memory of a record, if it still exists; false when it does not.
bool set_backing(std::uint64_t address, void* backing);
bool set_token(std::uint64_t address, std::uint64_t token);

// Opens once more what a context has open of a token; false when it has not. Closes all but the last.
bool reopen(const Context& context, std::uint64_t token, std::uint64_t& address);
bool close_once(std::uint64_t address);

}  // namespace hami::sim
