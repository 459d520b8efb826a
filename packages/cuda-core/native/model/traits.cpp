#include "model/traits.h"

#include <array>
#include <string>

#include "gguf/refusal.h"

namespace plumbline {
namespace {

/// A new architecture of this family is a line here, and perhaps an op.
constexpr std::array kArchitectures = {
    ArchitectureTraits{.name = "llama",
                       .rope_pairing = RopePairing::neighbours,
                       .qkv_bias = Presence::optional,
                       .rope_factors = Presence::optional},
    ArchitectureTraits{.name = "qwen2",
                       .rope_pairing = RopePairing::halves,
                       .qkv_bias = Presence::required,
                       .rope_factors = Presence::absent},
};

}  // namespace

const ArchitectureTraits& find_traits(const gguf::Metadata& metadata) {
  const std::string_view architecture = metadata.require_text("general.architecture");
  std::string supported;
  for (const ArchitectureTraits& traits : kArchitectures) {
    if (traits.name == architecture) return traits;
    supported += (supported.empty() ? "" : ", ") + std::string(traits.name);
  }
  constexpr std::string_view kKey = "general.architecture";
  gguf::refuse(ErrorCode::unsupported_architecture,
               "architecture \"" + std::string(architecture) + "\" is not supported; supported are " + supported,
               {"metadata", kKey}, metadata.offset_of(kKey), supported, std::string(architecture));
}

}  // namespace plumbline
