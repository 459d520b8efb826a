#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/observer.h"
#include "trace/trace_file.h"

namespace plumbline {

enum class TraceLevel { logits, layers, ops };

struct TraceOptions {
  std::filesystem::path directory;  ///< made if it is not there; must not hold a trace
  TraceLevel level = TraceLevel::ops;
  bool all_values = false;          ///< every value in the JSONL too, not just the first 8 of a record
  std::uint32_t prompt_tokens = 0;  ///< positions below it are the prefill
  std::uint32_t max_tokens = 0;     ///< how many generated ids the manifest must have room for
  std::string run;                  ///< goes into each record
  /// The manifest as a JSON object without `closed` and `stopped` (packages/protocol/src/trace.ts), written as it is
  /// when the trace starts.
  std::string manifest;
};

/// Writes a trace folder (DESIGN.md 3.4) as the forward pass goes. Flushed record by record, so that a killed process
/// leaves a readable trace that is visibly truncated (no `closed` in its manifest). When writing fails, e.g. because the
/// disk is full, the generation goes on: the trace stops there and its manifest, for whose last versions there is room from the
/// start, says why. A trace that cannot even begin leaves no file, and stopped() says why.
class TraceWriter final : public Observer {
 public:
  /// Throws INVALID_REQUEST if the folder already holds a trace.
  explicit TraceWriter(TraceOptions options);

  bool wants(Checkpoint checkpoint) const override;
  void observe(const Observation& observation) override;

  /// Completes the manifest with how the generation ended, counts and hashes. Without this call the trace counts as truncated.
  void close(std::span<const std::uint32_t> generated_token_ids, std::string_view stop_reason);

  std::uint64_t records() const { return records_; }
  /// Why it stopped before the generation did, if it did.
  const std::optional<std::string>& stopped() const { return stopped_; }

 private:
  void begin();
  void stop(const std::string& why);
  std::string manifest_with(const std::string& last_members) const;

  TraceOptions options_;
  std::optional<TraceFile> records_file_;
  std::optional<TraceFile> tensors_file_;
  std::optional<ReservedFile> stopped_manifest_;
  std::optional<ReservedFile> closed_manifest_;
  std::uint64_t records_ = 0;
  std::optional<std::string> stopped_;
};

}  // namespace plumbline
