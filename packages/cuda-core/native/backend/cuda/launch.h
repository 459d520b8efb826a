#pragma once

#include <tuple>
#include <utility>

#include "backend/cuda/kernel.h"
#include "backend/cuda/stream.h"

namespace plumbline::cuda {

/// The kernel's name for messages; remembers where the launch is written.
struct LaunchSite {
  // Not explicit, so that the name alone can be given.
  LaunchSite(const char* kernel_name, Where written = Where::here()) : kernel(kernel_name), where(written) {}

  const char* kernel;
  Where where;
};

/// The one way to start a kernel. Throws CUDA_ERROR if it cannot be started; what goes wrong while it runs is thrown by the next
/// call that waits.
template <class... Parameters, class... Arguments>
void launch(LaunchSite site, void (*kernel)(Parameters...), Size3 grid, Size3 block, std::size_t shared_bytes,
            const Stream& stream, const Arguments&... arguments) {
  // Converted here: the runtime copies bytes and knows no types.
  std::tuple<Parameters...> values(arguments...);
  const Status status = std::apply(
      [&](auto&... value) {
        void* pointers[] = {&value..., nullptr};  // an array of none is not allowed
        return stream.runtime().launch({site.kernel, reinterpret_cast<const void*>(kernel), pointers,
                                        host_call<Parameters...>(), grid, block, shared_bytes},
                                       stream.handle());
      },
      values);
  check(stream.runtime(), status, std::string("launch of ") + site.kernel, site.where);
}

/// How many blocks of `size` hold `count` things.
constexpr unsigned blocks_of(std::size_t count, unsigned size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

}  // namespace plumbline::cuda
