// Files of arrays. Reading never executes anything and never trusts a length; a file that lies is refused
// with UnsafeFileError, which names file, offset and field. Saving is atomic: a new file takes the old
// one's place once it is complete.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "heddle/array.h"

namespace heddle {

using NamedArrays = std::unordered_map<std::string, Array>;
using Metadata = std::unordered_map<std::string, std::string>;

// Maps the file: arrays take memory as they are read. Float8 tensors come as uint8.
// Throws std::runtime_error if the file cannot be opened.
std::pair<NamedArrays, Metadata> load_safetensors(const std::string& path);

// From memory; `label` stands for the file in messages.
std::pair<NamedArrays, Metadata> load_safetensors(const void* data, size_t bytes,
                                                  const std::string& label);

// Evaluates and writes the arrays; the suffix .safetensors is added to a path without it.
// Throws std::runtime_error if the file cannot be written; the old file, if any, is untouched then.
void save_safetensors(std::string path, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata = {});

// The same through `write`, called with consecutive pieces.
void save_safetensors(const std::function<void(const void*, size_t)>& write,
                      const std::map<std::string, Array>& arrays, const Metadata& metadata = {});

}  // namespace heddle
