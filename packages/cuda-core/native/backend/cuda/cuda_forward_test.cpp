#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <vector>

#include "assets.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/test_runtime.h"
#include "gguf/file.h"
#include "model/session.h"

/// The whole forward pass against the CPU's in `exact`, checkpoint by checkpoint.
namespace plumbline::cuda {
namespace {

/// What the CPU is held to against Transformers in float64.
constexpr double kBound = 1e-10;

/// Everything that a session shows, by name: all positions one behind the other.
class Recorder final : public Observer {
 public:
  bool wants(Checkpoint) const override { return true; }
  void observe(const Observation& observation) override {
    std::vector<float>& values = values_[name_of(observation.checkpoint, observation.layer)];
    values.insert(values.end(), observation.values.begin(), observation.values.end());
  }
  const std::map<std::string, std::vector<float>>& values() const { return values_; }

 private:
  std::map<std::string, std::vector<float>> values_;
};

/// A prompt in two pieces, then three tokens one by one.
std::map<std::string, std::vector<float>> checkpoints_of(const std::filesystem::path& path, std::unique_ptr<Backend> backend) {
  const auto model =
      Model::load(std::make_shared<const gguf::File>(gguf::File::open(path)), std::move(backend));
  Session session(*model, 64);
  Recorder recorder;
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t i = 0; i < 14; ++i) tokens.push_back((1 + 37 * i) % model->hyperparameters().vocab_size);
  const std::span<const std::uint32_t> all(tokens);
  const ForwardOptions options = {.logits = LogitRows::all, .observer = &recorder};
  for (const auto& [first, count] : {std::pair{0u, 7u}, {7u, 4u}, {11u, 1u}, {12u, 1u}, {13u, 1u}}) {
    session.forward(all.subspan(first, count), options);
  }
  return recorder.values();
}

void expect_same_checkpoints(const std::filesystem::path& path) {
  const auto truth = checkpoints_of(path, cpu::create_backend({.precision = Precision::exact, .threads = 1, .variant = ""}));
  const auto result = checkpoints_of(path, create_backend(test_runtime()));
  ASSERT_EQ(result.size(), truth.size());
  for (const auto& [name, expected] : truth) {
    const std::vector<float>& values = result.at(name);
    ASSERT_EQ(values.size(), expected.size()) << name;
    double differences = 0, energy = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double difference = static_cast<double>(values[i]) - static_cast<double>(expected[i]);
      differences += difference * difference;
      energy += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    }
    EXPECT_TRUE(differences / energy <= kBound) << name << ": " << differences / energy;
  }
}

TEST(CudaForward, Stories260K) {
  PLUMBLINE_NEEDS_CUDA_DEVICE();
  expect_same_checkpoints(test::committed_asset("stories260K/stories260K-f32.gguf"));
}

TEST(CudaForward, HaikuNano) {
  PLUMBLINE_NEEDS_CUDA_DEVICE();
  expect_same_checkpoints("../../models/haiku-nano/haiku-nano-q8_0.gguf");
}

TEST(CudaForward, RandomQwen2) {
  PLUMBLINE_NEEDS_CUDA_DEVICE();
  PLUMBLINE_NEEDS_ASSET(path, "models/random-qwen2-q4_k_m.gguf");
  expect_same_checkpoints(path);
}

TEST(CudaForward, RandomLlama) {
  PLUMBLINE_NEEDS_CUDA_DEVICE();
  PLUMBLINE_NEEDS_ASSET(path, "models/random-llama-q6_k.gguf");
  expect_same_checkpoints(path);
}

}  // namespace
}  // namespace plumbline::cuda
