// npz: a zip archive of npy files.
#include <fmt/format.h>

#include <set>
#include <stdexcept>

#include "heddle/io.h"
#include "io/npy.h"
#include "io/zip.h"

namespace heddle {
namespace {

constexpr std::string_view suffix = ".npy";

NamedArrays read(const io::Bytes& file, const std::string& label, const Stream& stream) {
  io::Origin origin{"load_npz", label};
  NamedArrays arrays;
  for (const io::ZipMember& member : io::read_zip_directory(origin, file)) {
    io::Origin inside{origin.op,
                      fmt::format("{}, member '{}'", label, io::printable(member.name, 64))};
    io::ZipStream content(origin, member);
    auto from_content = [&](void* to, size_t n) { return content.read(to, n); };
    io::NpyHeader header = io::read_npy_header(from_content, inside);
    uint64_t data = header.header_bytes;
    uint64_t wanted = io::stored_bytes(header.extent, header.storage);
    if (member.bytes - data != wanted) {
      inside.refuse(
          data, "data",
          fmt::format("shape and dtype want {} bytes, {} follow", wanted, member.bytes - data));
    }
    auto fetch = [owner = file.owner, origin, member, data, wanted](char* to) {
      io::ZipStream stream(origin, member);
      char passed[4096];
      while (stream.position() < data) {
        stream.read(passed, std::min<uint64_t>(sizeof(passed), data - stream.position()));
      }
      while (stream.position() < data + wanted) {
        uint64_t done = stream.position() - data;
        stream.read(to + done, wanted - done);
      }
      stream.finish();
    };
    Array array =
        io::lazy_array(header.extent, header.dtype, header.storage, stream, std::move(fetch));
    std::string name = member.name;
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    if (!arrays.emplace(name, std::move(array)).second) {
      origin.refuse(member.offset, fmt::format("member '{}'", member.name),
                    "the name occurs twice");
    }
  }
  return arrays;
}

}  // namespace

NamedArrays load_npz(const std::string& path, StreamOrDevice s) {
  Stream stream = to_stream(s);
  return read(io::map_file("load_npz", path), path, stream);
}

NamedArrays load_npz(const ReadFunction& from, const std::string& label, StreamOrDevice s) {
  Stream stream = to_stream(s);
  return read(io::read_bytes(from, UINT64_MAX), label, stream);
}

void savez(const WriteFunction& write, const ArrayList& arrays, bool compressed) {
  std::set<std::string> names;
  Arrays all;
  for (const auto& [name, array] : arrays) {
    if (!io::is_safe_member_name(name + std::string(suffix)) || !io::is_utf8(name)) {
      throw std::invalid_argument(fmt::format(
          "[savez] '{}' is no name for an array in a file: a relative path in UTF-8 is wanted.",
          io::printable(name)));
    }
    if (!names.insert(name).second) {
      throw std::invalid_argument(fmt::format("[savez] The name '{}' is given twice.", name));
    }
    all.push_back(array);
  }
  eval(all);
  io::ZipWriter zip(write);
  for (const auto& [name, array] : arrays) {
    io::NpyContent content = io::npy_content(array);
    zip.add(name + std::string(suffix),
            {{content.header.data(), content.header.size()},
             {content.array.raw_data(), content.array.nbytes()}},
            compressed);
  }
  zip.finish();
}

void savez(std::string path, const ArrayList& arrays, bool compressed) {
  if (!path.ends_with(".npz")) path += ".npz";
  io::write_atomically("savez", path,
                       [&](const WriteFunction& sink) { savez(sink, arrays, compressed); });
}

}  // namespace heddle
