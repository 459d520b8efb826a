#include "backend/cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "error.h"

namespace plumbline::cpu {
namespace {

/// Sets PLUMBLINE_CPU_VARIANT for one test.
class ForcedVariant {
 public:
  explicit ForcedVariant(const char* name) { setenv("PLUMBLINE_CPU_VARIANT", name, 1); }
  ~ForcedVariant() { unsetenv("PLUMBLINE_CPU_VARIANT"); }
};

std::unique_ptr<Backend> backend_of(const std::string& variant) {
  return create_backend({.precision = Precision::exact, .threads = 1, .variant = variant});
}

TEST(CpuBackend, AlwaysHasThePortableVariant) {
  ASSERT_FALSE(supported_variants().empty());
  EXPECT_EQ(supported_variants().front(), "portable");
}

TEST(CpuBackend, TakesTheBestVariantUnlessToldOtherwise) {
  unsetenv("PLUMBLINE_CPU_VARIANT");
  EXPECT_EQ(backend_of("")->name(), "cpu:" + supported_variants().back());
  for (const std::string& variant : supported_variants()) {
    EXPECT_EQ(backend_of(variant)->name(), "cpu:" + variant);
    const ForcedVariant forced(variant.c_str());
    EXPECT_EQ(backend_of("")->name(), "cpu:" + variant);
  }
  const ForcedVariant forced("avx2");
  EXPECT_EQ(backend_of("portable")->name(), "cpu:portable");
}

TEST(CpuBackend, RefusesAVariantThatCannotRun) {
  const ForcedVariant forced("mmx");
  try {
    backend_of("");
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::device_unavailable);
    EXPECT_NE(std::string(error.what()).find("CPU variant \"mmx\" cannot run here: this build on this machine has portable"),
              std::string::npos)
        << error.what();
  }
}

TEST(CpuBackend, SaysHowMuchMemoryItCouldNotGet) {
  const auto backend = backend_of("");
  try {
    const Memory memory = backend->allocate(std::size_t{1} << 62);
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
    EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("bytes")), std::uint64_t{1} << 62);
  }
}

TEST(CpuBackend, GivesMemoryThatIsZero) {
  const auto backend = backend_of("");
  const Memory memory = backend->allocate(100'000);
  const auto* const bytes = static_cast<const char*>(memory.address());
  EXPECT_EQ(std::string(bytes, 100'000), std::string(100'000, '\0'));
}

}  // namespace
}  // namespace plumbline::cpu
