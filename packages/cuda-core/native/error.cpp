#include "error.h"

#include <new>

namespace plumbline {

const char* name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_request: return "INVALID_REQUEST";
    case ErrorCode::context_overflow: return "CONTEXT_OVERFLOW";
    case ErrorCode::cancelled: return "CANCELLED";
    case ErrorCode::engine_busy: return "ENGINE_BUSY";
    case ErrorCode::engine_disposed: return "ENGINE_DISPOSED";
    case ErrorCode::device_unavailable: return "DEVICE_UNAVAILABLE";
    case ErrorCode::cuda_error: return "CUDA_ERROR";
    case ErrorCode::insufficient_vram: return "INSUFFICIENT_VRAM";
    case ErrorCode::vram_oom: return "VRAM_OOM";
    case ErrorCode::out_of_memory: return "OUT_OF_MEMORY";
    case ErrorCode::model_not_found: return "MODEL_NOT_FOUND";
    case ErrorCode::model_load_failed: return "MODEL_LOAD_FAILED";
    case ErrorCode::invalid_gguf: return "INVALID_GGUF";
    case ErrorCode::unsupported_tensor_type: return "UNSUPPORTED_TENSOR_TYPE";
    case ErrorCode::unsupported_architecture: return "UNSUPPORTED_ARCHITECTURE";
    case ErrorCode::unsupported_tokenizer: return "UNSUPPORTED_TOKENIZER";
    case ErrorCode::checksum_mismatch: return "CHECKSUM_MISMATCH";
    case ErrorCode::invalid_option: return "INVALID_OPTION";
    case ErrorCode::internal: return "INTERNAL";
  }
  return "INTERNAL";
}

Error current_exception_as_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::out_of_memory, "out of memory");
  } catch (const std::exception& error) {
    return Error(ErrorCode::internal, error.what());
  } catch (...) {
    return Error(ErrorCode::internal, "an exception that is no std::exception");
  }
}

}  // namespace plumbline
