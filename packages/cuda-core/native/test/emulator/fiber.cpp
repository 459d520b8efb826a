#include "test/emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUMBLINE_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define PLUMBLINE_ASAN
#endif
#ifdef PLUMBLINE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef PLUMBLINE_FIBER_UCONTEXT
// Saves what a callee must keep (System V ABI for x86-64) on the old stack and its pointer in *from; goes on with the stack `to`.
extern "C" void plumbline_switch_stack(void** from, void* to);
__asm__(
    ".pushsection .text\n"
    ".type plumbline_switch_stack, @function\n"
    "plumbline_switch_stack:\n"
    "  pushq %rbp\n"
    "  pushq %rbx\n"
    "  pushq %r12\n"
    "  pushq %r13\n"
    "  pushq %r14\n"
    "  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n"
    "  popq %r14\n"
    "  popq %r13\n"
    "  popq %r12\n"
    "  popq %rbx\n"
    "  popq %rbp\n"
    "  retq\n"
    ".size plumbline_switch_stack, . - plumbline_switch_stack\n"
    // The first thing on a new stack: the fiber lies in r12, its function in r13.
    ".type plumbline_enter_fiber, @function\n"
    "plumbline_enter_fiber:\n"
    "  movq %r12, %rdi\n"
    "  callq *%r13\n"
    "  ud2\n"
    ".size plumbline_enter_fiber, . - plumbline_enter_fiber\n"
    ".popsection\n");
extern "C" void plumbline_enter_fiber();
#endif

namespace plumbline::emulator {
namespace {

/// Enough for a kernel with its sanitised locals, and for an exception that is thrown and caught there.
constexpr std::size_t kStackBytes = 128 * 1024;
/// Below it, so that an overflow is a fault and not another fiber's stack.
constexpr std::size_t kGuardBytes = 64 * 1024;

void leave(void** fake_stack, const void* bottom, std::size_t bytes) {
#ifdef PLUMBLINE_ASAN
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#else
  (void)fake_stack, (void)bottom, (void)bytes;
#endif
}

void arrive(void* fake_stack, const void** bottom, std::size_t* bytes) {
#ifdef PLUMBLINE_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
#else
  (void)fake_stack, (void)bottom, (void)bytes;
#endif
}

}  // namespace

Fiber::Fiber() {
  void* const mapping = ::mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  ::mprotect(mapping, kGuardBytes, PROT_NONE);
  mapping_ = static_cast<std::byte*>(mapping);
  stack_ = mapping_ + kGuardBytes;
}

Fiber::~Fiber() { ::munmap(mapping_, kGuardBytes + kStackBytes); }

void Fiber::start(void (*function)(void*), void* argument) {
  function_ = function;
  argument_ = argument;
  fake_inside_ = nullptr;
#ifdef PLUMBLINE_ASAN
  // Whatever stood there before is gone without having left its scopes.
  __asan_unpoison_memory_region(stack_, kStackBytes);
#endif
#ifdef PLUMBLINE_FIBER_UCONTEXT
  ::getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_;
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  ::makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::enter_split), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
#else
  // Tops of stacks that are all multiples of a page apart would share their cache lines' places.
  const std::size_t stagger = reinterpret_cast<std::uintptr_t>(mapping_) / (kGuardBytes + kStackBytes) % 16 * 256;
  auto** top = reinterpret_cast<void**>(stack_ + kStackBytes - stagger);
  // As plumbline_switch_stack pops them: r15, r14, r13, r12, rbx, rbp, the return address; then 16-byte aligned for the call.
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&plumbline_enter_fiber);
  *--top = nullptr;
  *--top = nullptr;
  *--top = this;
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  *--top = nullptr;
  *--top = nullptr;
  inside_ = top;
#endif
}

void Fiber::enter(Fiber* self) {
  arrive(nullptr, &self->outer_stack_, &self->outer_bytes_);
  self->function_(self->argument_);
}

#ifdef PLUMBLINE_FIBER_UCONTEXT
void Fiber::enter_split(unsigned high, unsigned low) {
  enter(reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low)));
}
#endif

void Fiber::resume() {
  leave(&fake_outside_, stack_, kStackBytes);
#ifdef PLUMBLINE_FIBER_UCONTEXT
  ::swapcontext(&outside_, &inside_);
#else
  plumbline_switch_stack(&outside_, inside_);
#endif
  arrive(fake_outside_, nullptr, nullptr);
}

void Fiber::stop() {
  leave(&fake_inside_, outer_stack_, outer_bytes_);
#ifdef PLUMBLINE_FIBER_UCONTEXT
  ::swapcontext(&inside_, &outside_);
#else
  plumbline_switch_stack(&inside_, outside_);
#endif
  arrive(fake_inside_, &outer_stack_, &outer_bytes_);
}

}  // namespace plumbline::emulator
