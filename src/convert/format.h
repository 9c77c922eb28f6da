// The formats of programs: how a file is recognized, taken apart and written. Each folder registers
// its own, so that no list names them:
//   const RegisterFormat registered({.name = "heddle", .suffix = ".heddle", ...});
#pragma once

#include "convert/calls.h"
#include "io/file.h"

namespace heddle::convert {

// A file that is read: its bytes, and its path, which is empty for one in memory.
struct Source {
  io::Bytes bytes;
  std::string path;
  std::string label;  // stands for the file in messages
};

struct Format {
  const char* name;    // as callers say it
  const char* suffix;  // ".heddle"
  const Dialect& (*dialect)();
  // Whether the bytes begin as such a file does; null: it is only written.
  bool (*recognizes)(const io::Bytes&) = nullptr;
  // Throws UnsafeFileError with label, place and field for a file that contradicts itself,
  // std::invalid_argument for an operation that is not known.
  FunctionFile (*read)(const Source&) = nullptr;
  // Throws std::invalid_argument for what the layout has no room for; null: it is only read.
  void (*write)(const FunctionFile&, const WriteFunction&) = nullptr;
};

class RegisterFormat {
 public:
  // When the program starts. Throws std::logic_error for a name or a suffix that is there already.
  explicit RegisterFormat(Format format);
};

// By name.
const std::vector<Format>& formats();

// The format of what the bytes are; null: none that is read.
const Format* format_of(const io::Bytes& bytes);

}  // namespace heddle::convert
