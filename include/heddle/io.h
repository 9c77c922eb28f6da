// Files of arrays: npy, npz, safetensors and GGUF, both ways.
//
// Reading never executes anything and never trusts a length; a file that lies is refused with
// UnsafeFileError, which names file, offset and field. Files given by path are mapped: arrays take
// memory as their values are used, and a file must not be cut short meanwhile. Streams are read to
// the end of their arrays at once, which is also the way to be independent of a file. Throws
// FileError if a file cannot be opened.
//
// Writing evaluates the arrays. A path is written atomically: a new file takes the old one's place
// once it is complete. Throws FileError if that fails; the old file is whole then.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/array.h"
#include "heddle/device.h"

namespace heddle {

// What the system could not do with a file; `number` is its reason (errno).
class FileError : public std::runtime_error {
 public:
  FileError(const std::string& message, std::string path, int number)
      : std::runtime_error(message), path_(std::move(path)), number_(number) {}
  const std::string& path() const { return path_; }
  int number() const { return number_; }

 private:
  std::string path_;
  int number_;
};

using NamedArrays = std::unordered_map<std::string, Array>;
using Metadata = std::unordered_map<std::string, std::string>;

// Reads up to `bytes` bytes and says how many; none only at the end.
using ReadFunction = std::function<size_t(void* to, size_t bytes)>;
// Takes all bytes; called with consecutive pieces.
using WriteFunction = std::function<void(const void* from, size_t bytes)>;

// --- npy: one array -----------------------------------------------------------------------------
// complex128 becomes complex64, and numpy's V2 is bfloat16, as MLX writes it.

Array load(const std::string& path, StreamOrDevice s = {});
// `label` stands for the file in messages. Reads one array and not a byte more.
Array load(const ReadFunction& read, const std::string& label, StreamOrDevice s = {});

void save(std::string path, const Array& array);  // adds the suffix .npy to a path without it
void save(const WriteFunction& write, const Array& array);

// --- npz: a zip archive of npy files ------------------------------------------------------------

NamedArrays load_npz(const std::string& path, StreamOrDevice s = {});
NamedArrays load_npz(const ReadFunction& read, const std::string& label, StreamOrDevice s = {});

// In the order given. Names that are no plain relative paths are refused with
// std::invalid_argument.
using ArrayList = std::vector<std::pair<std::string, Array>>;
void savez(std::string path, const ArrayList& arrays, bool compressed = false);
void savez(const WriteFunction& write, const ArrayList& arrays, bool compressed = false);

// --- safetensors --------------------------------------------------------------------------------
// Float8 tensors come as uint8.

std::pair<NamedArrays, Metadata> load_safetensors(const std::string& path, StreamOrDevice s = {});
std::pair<NamedArrays, Metadata> load_safetensors(const ReadFunction& read,
                                                  const std::string& label, StreamOrDevice s = {});
// All files of a set from its index, *.safetensors.index.json. The files lie beside the index; each
// tensor is in the one that the index names. The metadata are those of the index.
std::pair<NamedArrays, Metadata> load_sharded_safetensors(const std::string& path,
                                                          StreamOrDevice s = {});

// The suffix .safetensors is added to a path without it.
void save_safetensors(std::string path, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata = {});
void save_safetensors(const WriteFunction& write, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata = {});

// --- GGUF ---------------------------------------------------------------------------------------
// Blocks of Q4_0, Q4_1 and Q8_0 stay quantized: a tensor "x.weight" becomes the affine triple
// "x.weight" (uint32), "x.scales" and "x.biases" (float16) of groups of 32. Other blocks become
// float16 when they are first needed; the kinds that are not known are refused by name. Versions 2
// and 3.

using GgufMetadata =
    std::unordered_map<std::string, std::variant<Array, std::string, std::vector<std::string>>>;

std::pair<NamedArrays, GgufMetadata> load_gguf(const std::string& path, StreamOrDevice s = {});
std::pair<NamedArrays, GgufMetadata> load_gguf(const ReadFunction& read, const std::string& label,
                                               StreamOrDevice s = {});

// Tensors of signed integers and of real floating values with at most 4 dimensions and names of at
// most 64 bytes; metadata of scalars and one dimension, but no halves, float64 or complex. Throws
// std::runtime_error or std::invalid_argument for others. The suffix .gguf is added to a path
// without it.
void save_gguf(std::string path, const std::map<std::string, Array>& arrays,
               const GgufMetadata& metadata = {});
void save_gguf(const WriteFunction& write, const std::map<std::string, Array>& arrays,
               const GgufMetadata& metadata = {});

}  // namespace heddle
