#include "trace/trace_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace plumbline {

TraceFile::TraceFile(std::filesystem::path path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
  if (!file_) throw std::system_error(errno, std::generic_category(), path_.string());
  // Unbuffered: a record is written whole, and a failure is seen where it happens.
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);
}

void TraceFile::append(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    const int error = errno;
    std::error_code ignored;
    std::filesystem::resize_file(path_, size_, ignored);
    throw std::system_error(error, std::generic_category(), path_.filename().string());
  }
  sha256_.update(bytes);
  size_ += bytes.size();
}

}  // namespace plumbline
