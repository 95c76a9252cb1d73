#include "oci-config/base/result.h"

#include <cstring>

#include "oci-config/base/text.h"

namespace hami {

tl::unexpected<Error> fail_errno(std::string_view doing, std::string_view object, std::string hint) {
  const int saved = errno;
  const auto code = saved == ENOENT ? Errc::not_found : Errc::io;
  std::string message = text::cat({doing, " ", text::quote(object), ": ", std::strerror(saved)});
  return tl::unexpected<Error>(Error{code, saved, std::move(message), std::move(hint)});
}

}  // namespace hami
