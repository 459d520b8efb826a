#pragma once

#include <cstddef>
#if !(defined(__x86_64__) && defined(__linux__))
#define PLUMBLINE_FIBER_UCONTEXT
#include <ucontext.h>
#endif

namespace plumbline::emulator {

/// A function that can stop in its midst and be gone on with: a stack of its own, and a switch that the address sanitizer is told
/// of. All fibers belong to the one thread that resumes them.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next `resume` calls function(argument), which must never return. A fiber that was stopped elsewhere forgets where.
  void start(void (*function)(void*), void* argument);
  /// From outside: goes on until it stops.
  void resume();
  /// From inside.
  void stop();

 private:
  static void enter(Fiber* self);

  std::byte* mapping_;
  std::byte* stack_;
  void (*function_)(void*) = nullptr;
  void* argument_ = nullptr;
#ifdef PLUMBLINE_FIBER_UCONTEXT
  static void enter_split(unsigned high, unsigned low);
  ucontext_t inside_{};
  ucontext_t outside_{};
#else
  void* inside_ = nullptr;   ///< stack pointers
  void* outside_ = nullptr;
#endif
  // What the sanitizer wants to be told again.
  void* fake_inside_ = nullptr;
  void* fake_outside_ = nullptr;
  const void* outer_stack_ = nullptr;
  std::size_t outer_bytes_ = 0;
};

}  // namespace plumbline::emulator
