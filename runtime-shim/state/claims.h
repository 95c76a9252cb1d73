// Which container of a Pod took which group of a scheduler's list: <state_dir>/pods/<pod>.json, for as long
// as the Pod's sandbox lives. A container that starts again finds its group by it. Guarded by the ledger's
// lock.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/state/ledger.h"

namespace hami::state {

struct Claim {
  std::string annotation;  // of the list
  std::size_t group = 0;
  std::string container;  // its name in the Pod
  friend bool operator==(const Claim&, const Claim&) = default;
};

struct PodClaims {
  std::string pod;  // uid
  std::string sandbox;
  std::string engine_root;  // where the low-level runtime keeps the sandbox
  std::vector<Claim> claims;
  friend bool operator==(const PodClaims&, const PodClaims&) = default;

  // Groups of this list that containers of other names hold.
  [[nodiscard]] std::vector<std::size_t> held_by_others(const std::string& annotation,
                                                        const std::string& container) const;
  // The container's claim on this list is this group and no other.
  void take(const std::string& annotation, std::size_t group, const std::string& container);
};

// The Pod's claims. None when there are none yet, when they were another sandbox's (the Pod started anew), or
// when the file cannot be read: it is written by us alone, and a lost claim costs only the order of equal
// groups.
[[nodiscard]] PodClaims load_claims(const std::string& state_dir, const std::string& pod,
                                    const std::string& sandbox);

// Durable when it returns. The ledger's lock must be held.
[[nodiscard]] Result<> save_claims(const std::string& state_dir, const PodClaims& claims);

// Removes the claims of Pods whose sandbox is gone; looks at no more than `most`, and at others each time.
// The ledger's lock must be held.
void drop_stale_claims(const std::string& state_dir, std::size_t most);

}  // namespace hami::state
