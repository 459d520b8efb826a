#pragma once

// The host's side of backend/cuda/kernel.h, which includes this: the same names, every access checked.

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "test/emulator/device_memory.h"
#include "test/emulator/machine.h"

#define __global__
#define __device__
#define __host__

namespace plumbline::cuda {

// CUDA's builtin variables and types, by their own names.
inline const Size3& threadIdx = emulator::current.thread;
inline const Size3& blockIdx = emulator::current.block;
inline const Size3& blockDim = emulator::current.block_size;
inline const Size3& gridDim = emulator::current.grid_size;

struct alignas(16) float4 {
  float x;
  float y;
  float z;
  float w;
};

using emulator::MistakeKind;
using std::cos;
using std::sin;
using std::sqrt;

/// An index that knows where it is written.
struct Index {
  template <std::integral Integer>
  // Not explicit: whatever indexes becomes one.
  Index(Integer index, Where written = Where::here()) : value(static_cast<std::size_t>(index)), where(written) {}

  std::size_t value;
  Where where;
};

/// An element that is read or written: which of them is told by what it is used as.
template <class View>
class Element {
 public:
  using Value = typename View::Value;
  Element(const View& view, const Index& index) : view_(view), index_(index) {}
  Element(const Element&) = default;

  operator Value() const { return view_.read(index_); }
  const Element& operator=(Value value) const {
    view_.write(index_, value);
    return *this;
  }
  const Element& operator=(const Element& other) const { return *this = static_cast<Value>(other); }
  const Element& operator+=(Value value) const { return *this = static_cast<Value>(*this) + value; }

 private:
  const View& view_;
  Index index_;
};

template <class T>
class Global {
 public:
  using Value = std::remove_const_t<T>;

  Global() = default;
  Global(T* data, std::size_t count)
      : data_(data), count_(count), written_(emulator::DeviceMemory::written(data, count * sizeof(T))) {}

  explicit operator bool() const { return data_ != nullptr; }

  Element<Global> operator[](const Index& index) const { return {*this, index}; }

  Global part(const Index& first, std::size_t count) const {
    if (first.value > count_ || count > count_ - first.value) {
      refuse(MistakeKind::out_of_bounds, first,
             "a part of " + std::to_string(count) + " values from " + std::to_string(first.value) + " on");
    }
    Global out;
    out.data_ = data_ + first.value;
    out.count_ = count;
    out.written_ = written_ == nullptr ? nullptr : written_ + first.value * sizeof(T);
    return out;
  }

  Value read(const Index& index) const { return read_as<Value>(index.value * sizeof(T), index.where); }

  void write(const Index& index, Value value) const { write_as(index.value * sizeof(T), value, index.where); }

  float4 load4(const Index& index) const { return read_as<float4>(index.value * sizeof(T), index.where); }
  void store4(const Index& index, float4 value) const { write_as(index.value * sizeof(T), value, index.where); }

  template <class Wanted>
  Wanted load(const Index& offset) const {
    return read_as<Wanted>(offset.value, offset.where);
  }

 private:
  [[noreturn]] void refuse(MistakeKind kind, const Index& index, const std::string& what) const {
    emulator::machine().report(kind, index.where, what + " of global memory that holds " + std::to_string(count_));
  }

  void check(std::size_t offset, std::size_t bytes, std::size_t alignment, Where where) const {
    const std::size_t end = count_ * sizeof(T);
    if (offset > end || bytes > end - offset) {
      refuse(MistakeKind::out_of_bounds, {offset / sizeof(T), where},
             "index " + std::to_string(offset / sizeof(T)));
    }
    if (written_ == nullptr) refuse(MistakeKind::out_of_bounds, {offset, where}, "an address that is not the device's, in place");
    if ((reinterpret_cast<std::uintptr_t>(data_) + offset) % alignment != 0) {
      refuse(MistakeKind::misaligned, {offset, where},
             "an access to " + std::to_string(bytes) + " bytes at index " + std::to_string(offset / sizeof(T)));
    }
  }

  template <class Wanted>
  Wanted read_as(std::size_t offset, Where where) const {
    check(offset, sizeof(Wanted), alignof(Wanted), where);
    for (std::size_t i = 0; i < sizeof(Wanted); ++i) {
      if (written_[offset + i] == 0) {
        refuse(MistakeKind::uninitialised_read, {offset, where}, "index " + std::to_string(offset / sizeof(T)));
      }
    }
    Wanted value;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(data_) + offset, sizeof(Wanted));
    return value;
  }

  template <class Given>
  void write_as(std::size_t offset, Given value, Where where) const {
    static_assert(!std::is_const_v<T>);
    check(offset, sizeof(Given), alignof(Given), where);
    std::memset(written_ + offset, 1, sizeof(Given));
    std::memcpy(reinterpret_cast<std::byte*>(data_) + offset, &value, sizeof(Given));
  }

  T* data_ = nullptr;
  std::size_t count_ = 0;
  std::uint8_t* written_ = nullptr;
};

template <class T>
class Shared {
 public:
  using Value = T;
  static_assert(sizeof(T) % 4 == 0, "what is known of shared memory is known of four bytes at a time");

  Shared(std::size_t offset, std::size_t count) : offset_(offset), count_(count) {}

  Element<Shared> operator[](const Index& index) const { return {*this, index}; }

  T read(const Index& index) const {
    check(index);
    const std::size_t offset = offset_ + index.value * sizeof(T);
    emulator::machine().note_shared_read(offset, sizeof(T), index.where);
    T value;
    std::memcpy(&value, emulator::machine().shared() + offset, sizeof(T));
    return value;
  }

  void write(const Index& index, T value) const {
    check(index);
    const std::size_t offset = offset_ + index.value * sizeof(T);
    emulator::machine().note_shared_write(offset, sizeof(T), index.where);
    std::memcpy(emulator::machine().shared() + offset, &value, sizeof(T));
  }

 private:
  void check(const Index& index) const {
    if (index.value < count_) return;
    emulator::machine().report(MistakeKind::out_of_bounds, index.where,
                               "index " + std::to_string(index.value) + " of shared memory that holds " +
                                   std::to_string(count_));
  }

  std::size_t offset_;
  std::size_t count_;
};

class SharedMemory {
 public:
  template <class T>
  Shared<T> take(const Index& count) {
    const std::size_t offset = used_;
    used_ += (count.value * sizeof(T) + 15) / 16 * 16;
    if (used_ > emulator::machine().shared_bytes()) {
      emulator::machine().report(MistakeKind::out_of_bounds, count.where,
                                 std::to_string(used_) + " bytes of shared memory are taken, the launch gave " +
                                     std::to_string(emulator::machine().shared_bytes()));
    }
    return {offset, count.value};
  }

 private:
  std::size_t used_ = 0;
};

inline void sync_threads(Where where = Where::here()) { emulator::machine().barrier(where); }
inline void sync_warp(Where where = Where::here()) { emulator::machine().warp_barrier(where); }

template <class T>
T shuffle(T value, unsigned lane, Where where = Where::here()) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  const std::uint64_t* const lanes = emulator::machine().exchange(bits, where);
  std::memcpy(&value, &lanes[lane % 32], sizeof(T));
  return value;
}

template <class T>
T shuffle_xor(T value, unsigned lanes, Where where = Where::here()) {
  return shuffle(value, threadIdx.x % 32 ^ lanes, where);
}

inline unsigned ballot(bool value, Where where = Where::here()) {
  const std::uint64_t* const lanes = emulator::machine().exchange(value, where);
  unsigned out = 0;
  for (unsigned lane = 0; lane < 32; ++lane) out |= static_cast<unsigned>(lanes[lane]) << lane;
  return out;
}

inline bool any_lane(bool value, Where where = Where::here()) { return ballot(value, where) != 0; }

template <class T>
T atomic_add(const Global<T>& values, const Index& index, T value) {
  emulator::machine().yield();
  const T old = values.read(index);
  values.write(index, old + value);
  return old;
}

/// Exact, subnormals too: the exponent is moved by a multiplication, which an infinity or NaN must be spared.
inline float f16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t magnitude = std::uint32_t{bits & 0x7fffu} << 13;
  std::uint32_t out = magnitude;
  if (magnitude >= 0x0f800000u) {
    out |= 0x7f800000u;
  } else {
    float value;
    std::memcpy(&value, &magnitude, sizeof(value));
    value *= 0x1p112f;
    std::memcpy(&out, &value, sizeof(value));
  }
  out |= sign;
  float value;
  std::memcpy(&value, &out, sizeof(value));
  return value;
}

inline float bits_to_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

namespace host_calls {

template <class... Parameters, std::size_t... Indices>
void call(const void* function, void** arguments, std::index_sequence<Indices...>) {
  const auto kernel = reinterpret_cast<void (*)(Parameters...)>(const_cast<void*>(function));
  kernel(*static_cast<Parameters*>(arguments[Indices])...);
}

}  // namespace host_calls

template <class... Parameters>
auto host_call() -> void (*)(const void*, void**) {
  return [](const void* function, void** arguments) {
    host_calls::call<Parameters...>(function, arguments, std::index_sequence_for<Parameters...>{});
  };
}

}  // namespace plumbline::cuda
