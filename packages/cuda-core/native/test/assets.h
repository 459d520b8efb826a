#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace plumbline::test {

/// A small asset that is in the repository, below packages/protocol/test-vectors. ctest runs in packages/cuda-core.
inline std::filesystem::path committed_asset(const std::string& path) {
  return std::filesystem::path("../protocol/test-vectors") / path;
}

/// A large asset below PLUMBLINE_TEST_ASSETS; empty when it is not there.
inline std::filesystem::path large_asset(const std::string& path) {
  const char* const folder = std::getenv("PLUMBLINE_TEST_ASSETS");
  const std::filesystem::path file = folder == nullptr ? "" : std::filesystem::path(folder) / path;
  if (!file.empty() && std::filesystem::exists(file)) return file;
  const char* const require = std::getenv("PLUMBLINE_REQUIRE_ASSETS");
  if (require != nullptr && std::string(require) == "1") throw std::runtime_error("the test asset " + path + " is not there");
  return {};
}

}  // namespace plumbline::test

/// Skips the test by name where the asset is not there; PLUMBLINE_REQUIRE_ASSETS=1 makes that a failure.
#define PLUMBLINE_NEEDS_ASSET(variable, asset)                                     \
  const std::filesystem::path variable = plumbline::test::large_asset(asset);      \
  if (variable.empty()) GTEST_SKIP() << "needs PLUMBLINE_TEST_ASSETS with " << (asset)
