// Files as the readers and writers of all formats use them.
#pragma once

#include <string>

#include "core/buffer.h"
#include "heddle/io.h"

namespace heddle::io {

// A file's bytes in memory: mapped, or read. The owner keeps them; empty for memory of the caller.
struct Bytes {
  BufferRef owner;
  const char* data = "";  // never null
  uint64_t size = 0;
};

// The whole file mapped read-only, unmapped when the last owner dies. Throws FileError
// "[op] Failed to open file path: reason" for what is not a readable regular file.
Bytes map_file(const char* op, const std::string& path);

// Exactly `n` bytes of a stream, or what there is before its end. Memory grows with what is read,
// so that a false `n` costs nothing.
Bytes read_bytes(const ReadFunction& read, uint64_t n);

// Writes a new file through the callback's sink, flushes it to the disk and puts it in the place of
// `path`, which any failure leaves as it was. The new file has no name until it is whole, where the
// file system can do that, so that a process that is killed leaves nothing behind; elsewhere, and
// for the moment in which it replaces another, it is called `path`.0.partial (or .1, ... where
// others are writing), which the next save takes over. Symbolic links are followed; a pipe or a
// device, which cannot be replaced, is written in place.
void write_atomically(const char* op, const std::string& path,
                      const std::function<void(const WriteFunction&)>& produce);

}  // namespace heddle::io
