// Whatever the bytes are: a typed error, or a model that can be read, loaded and run. Anything else (another exception, a
// crash, a sanitizer's report, too much memory or time) is a finding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "error.h"
#include "gguf/file.h"
#include "model/model.h"
#include "model/session.h"
#include "model/tokenizer_metadata.h"

namespace {

/// Keeps the optimiser from dropping what is only read.
volatile std::uint64_t sink;

void read_everything(const plumbline::gguf::File& file) {
  std::uint64_t sum = file.version();
  for (const plumbline::gguf::Entry& entry : file.metadata().entries()) {
    sum += file.metadata().find(entry.key)->offset;
    const auto* const array = std::get_if<plumbline::gguf::ArrayView>(&entry.value);
    if (array == nullptr || array->element != plumbline::gguf::ValueType::string) continue;
    const plumbline::gguf::StringArray strings = file.metadata().strings(entry.key).value();
    for (const std::string_view text : strings) {
      for (const char letter : text) sum += static_cast<std::uint8_t>(letter);
    }
  }
  for (const plumbline::gguf::TensorInfo& tensor : file.tensors()) {
    for (const std::byte byte : file.tensor_bytes(*file.find_tensor(tensor.name))) sum += std::to_integer<unsigned>(byte);
  }
  sink = sum;
}

void load_and_run(std::shared_ptr<const plumbline::gguf::File> file) {
  plumbline::cpu::Options options;
  options.precision = plumbline::Precision::exact;
  options.threads = 1;
  try {
    plumbline::read_tokenizer_metadata(file->metadata());
  } catch (const plumbline::Error&) {
    // A model without a tokenizer can be run all the same.
  }
  const auto model = plumbline::Model::load(std::move(file), plumbline::cpu::create_backend(options));
  const std::uint32_t context_length = std::min(8u, model->hyperparameters().trained_context_length);
  plumbline::Session session(*model, context_length);
  const std::uint32_t token = model->hyperparameters().vocab_size - 1;
  for (std::uint32_t position = 0; position < context_length; ++position) session.forward({&token, 1});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Aligned as a map is: tensors are read where they lie.
  struct Page {
    alignas(4096) std::byte bytes[4096];
  };
  std::vector<Page> pages((size + sizeof(Page) - 1) / sizeof(Page));
  const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(pages.data()), size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, bytes.begin());
  try {
    const auto file = std::make_shared<const plumbline::gguf::File>(plumbline::gguf::File::parse(bytes));
    read_everything(*file);
    load_and_run(file);
  } catch (const plumbline::Error&) {
  }
  return 0;
}
