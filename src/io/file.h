// Files as the readers and writers of all formats use them.
#pragma once

#include <functional>
#include <string>

#include "core/buffer.h"

namespace heddle::io {

// The whole file mapped read-only; unmapped when the last buffer on it dies.
struct MappedFile {
  BufferRef buffer;
  const char* data;
  size_t bytes;
};

// Throws std::runtime_error "[op] Failed to open file path: reason" for what is not a readable regular
// file.
MappedFile map_file(const char* op, const std::string& path);

// Writes a temporary file beside `path` through the callback's sink, flushes it to the disk and
// renames it over `path`. On any failure the temporary file is removed and `path` left as it was.
using Sink = std::function<void(const void*, size_t)>;
void write_atomically(const char* op, const std::string& path,
                      const std::function<void(const Sink&)>& produce);

}  // namespace heddle::io
