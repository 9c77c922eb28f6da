// The bounded reader, archives and streams in C++; formats are compared with others in
// tests/python/test_files*.py.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/node.h"
#include "heddle/heddle.h"
#include "io/npy.h"
#include "io/reader.h"
#include "io/zip.h"

namespace heddle {
namespace {

const io::Origin origin{"test", "file.bin"};

ReadFunction stream(const std::string& content, size_t piece = 7) {
  return [&content, piece, at = size_t{0}](void* to, size_t n) mutable {
    n = std::min({n, piece, content.size() - at});
    std::memcpy(to, content.data() + at, n);
    at += n;
    return n;
  };
}
WriteFunction append_to(std::string& content) {
  return
      [&content](const void* from, size_t n) { content.append(static_cast<const char*>(from), n); };
}

std::string folder() {
  std::string name = (std::filesystem::temp_directory_path() / "heddle-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}
std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("numbers and texts are read in order") {
  const std::string bytes(
      "\x01\x02\x00\x03\x00\x00\x00\x00\x00\x00\x00"
      "abc"
      "\x01",
      15);
  io::Reader r(origin, bytes.data(), bytes.size());
  CHECK(r.number<uint8_t>("first") == 1);
  CHECK(r.number<uint16_t>("second") == 2);
  CHECK(r.string("third") == "abc");
  CHECK(r.boolean("fourth"));
  CHECK(r.remaining() == 0);
  CHECK(r.offset() == 15);
}

TEST_CASE("what goes beyond the end is refused by file, offset and field") {
  const std::string bytes(10, '\xff');
  io::Reader r(origin, bytes.data(), bytes.size(), 100);
  CHECK_THROWS_WITH_AS(r.take(11, "data"),
                       "[test] file.bin: offset 100, data: 11 bytes are wanted, 10 are left.",
                       UnsafeFileError);
  CHECK_THROWS_AS(r.take(UINT64_MAX, "data"), UnsafeFileError);
  CHECK_THROWS_AS(r.string("name"), UnsafeFileError);  // its length is 2^64 - 1
  r.seek(100, "again");
  CHECK_THROWS_AS(r.count("things", 1), UnsafeFileError);
  r.seek(100, "again");
  CHECK_THROWS_AS(r.count<uint16_t>("things", 8), UnsafeFileError);
  CHECK_THROWS_AS(r.seek(99, "back"), UnsafeFileError);
  CHECK_THROWS_AS(r.seek(111, "on"), UnsafeFileError);
  r.seek(110, "end");
  CHECK(r.remaining() == 0);
  r.seek(100, "again");
  CHECK_THROWS_AS(r.boolean("flag"), UnsafeFileError);
}

TEST_CASE("a count is bounded by its limit and by the room for the things") {
  const std::string bytes(
      "\x03\x00\x00\x00"
      "123456",
      10);
  io::Reader r(origin, bytes.data(), bytes.size());
  CHECK(r.count<uint32_t>("pairs", 2) == 3);
  r.seek(0, "again");
  CHECK_THROWS_AS(r.count<uint32_t>("triples", 3), UnsafeFileError);
  r.seek(0, "again");
  CHECK_THROWS_AS(r.count<uint32_t>("pairs", 2, 2), UnsafeFileError);
}

TEST_CASE("extents do not overflow") {
  io::Reader r(origin, nullptr, 0);
  auto extent = [&](std::vector<uint64_t> shape, Dtype dtype) {
    return r.extent(shape, dtype, "shape");
  };
  CHECK(extent({2, 3}, float64).bytes == 48);
  CHECK(extent({}, int16).bytes == 2);
  CHECK(extent({5, 0}, int16).bytes == 0);
  CHECK_THROWS_AS(extent({uint64_t{1} << 31}, uint8), UnsafeFileError);
  CHECK_THROWS_AS(extent({INT32_MAX, INT32_MAX, 4}, uint8), UnsafeFileError);
  CHECK_THROWS_AS(extent({0, INT32_MAX, INT32_MAX, 4}, uint8), UnsafeFileError);
  CHECK_THROWS_AS(extent(std::vector<uint64_t>(65, 1), uint8), UnsafeFileError);
}

TEST_CASE("texts of files become one printable line") {
  CHECK(io::printable("a\nb\xff") == "a\\x0ab\\xff");
  CHECK(io::printable(std::string(300, 'x'), 5) == "xxxxx...");
}

TEST_CASE("UTF-8") {
  for (const char* good :
       {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"}) {
    CHECK_MESSAGE(io::is_utf8(good), good);
  }
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    CHECK_FALSE_MESSAGE(io::is_utf8(bad), bad);
  }
}

TEST_CASE("a stream that promises more than it has costs what it has") {
  const std::string content(100, 'x');
  size_t before = get_active_memory();
  io::Bytes bytes = io::read_bytes(stream(content), uint64_t{1} << 60);
  CHECK(bytes.size == 100);
  CHECK(get_active_memory() - before <= size_t{1} << 20);
  const std::string longer(5'000'000, 'y');
  CHECK(io::read_bytes(stream(longer, 999'983), 4'000'000).size == 4'000'000);
  CHECK(io::read_bytes(stream(content), 0).size == 0);
}

TEST_CASE("several arrays in one stream") {
  std::string content;
  save(append_to(content), arange(5));
  save(append_to(content), transpose(reshape(arange(6), {2, 3})));
  auto read = stream(content);
  CHECK(to_string(load(read, "stream")) == to_string(arange(5)));
  CHECK(to_string(load(read, "stream")) ==
        "array([[0, 3],\n       [1, 4],\n       [2, 5]], dtype=int32)");
  CHECK_THROWS_AS(load(read, "stream"), UnsafeFileError);
}

TEST_CASE("values are fetched when they are first needed") {
  std::string path = folder() + "/x.npz";
  savez(path, {{"a", arange(1000)}, {"b", ones({3})}}, true);
  NamedArrays arrays = load_npz(path);
  CHECK_FALSE(arrays.at("a").is_available());
  CHECK(sum(arrays.at("a")).item<int>() == 499'500);
  CHECK(sum(arrays.at("b")).item<float>() == 3);
}

TEST_CASE("more members than 16 bits count") {
  ArrayList list;
  for (int i = 0; i < 66'000; i++) list.emplace_back(std::to_string(i), Array(i));
  std::string content;
  savez(append_to(content), list);
  NamedArrays arrays = load_npz(stream(content, 1 << 20), "archive");
  CHECK(arrays.size() == 66'000);
  CHECK(arrays.at("65999").item<int>() == 65'999);
}

TEST_CASE("every prefix of every format is refused") {
  std::string npy, npz, tensors, gguf;
  std::map<std::string, Array> arrays{{"x", arange(3)}, {"y", Array({1.0f, 2.0f})}};
  save(append_to(npy), arange(3));
  savez(append_to(npz), {{"x", arange(3)}}, true);
  save_safetensors(append_to(tensors), arrays, {{"k", "v"}});
  save_gguf(append_to(gguf), arrays,
            {{"k", "v"}, {"n", Array(3)}, {"l", std::vector<std::string>{"a", "b"}}});
  auto refused = [](const std::string& whole, auto&& f) {
    f(whole);
    for (size_t n = 0; n < whole.size(); n++)
      CHECK_THROWS_AS(f(whole.substr(0, n)), UnsafeFileError);
  };
  refused(npy, [](const std::string& s) { return load(stream(s), "x"); });
  refused(npz, [](const std::string& s) { return load_npz(stream(s), "x"); });
  refused(tensors, [](const std::string& s) { return load_safetensors(stream(s), "x"); });
  refused(gguf, [](const std::string& s) { return load_gguf(stream(s), "x"); });
}

TEST_CASE("an error while writing leaves the old file") {
  std::string at = folder(), path = at + "/x.npy";
  save(path, arange(3));
  std::string old = content_of(path);
  CHECK_THROWS_WITH_AS(io::write_atomically("test", path,
                                            [](const WriteFunction& write) {
                                              write("half", 4);
                                              throw std::runtime_error("no more");
                                            }),
                       "no more", std::runtime_error);
  CHECK(content_of(path) == old);
  auto entries = std::filesystem::directory_iterator(at);
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("numbers behind texts of any length are read at any address") {
  auto put = [](std::string& to, auto number) {
    to.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  constexpr uint32_t version = 3, float64_value = 12;
  for (uint64_t length = 1; length <= 8; length++) {
    std::string content = "GGUF";
    put(content, version);
    put(content, uint64_t{0});  // tensors
    put(content, uint64_t{1});  // values
    put(content, length);
    content.append(length, 'k');
    put(content, float64_value);
    put(content, 2.5);
    auto values = load_gguf(stream(content), "model").second;
    CHECK(std::get<Array>(values.begin()->second).item<float>() == 2.5f);
  }
}

TEST_CASE("GGUF keeps what it is given") {
  std::string content;
  std::map<std::string, Array> arrays{{"a", reshape(arange(6), {2, 3})},
                                      {"d", Array(2.5, float64)},
                                      {"h", astype(arange(4), bfloat16)}};
  save_gguf(append_to(content), arrays, {{"general.alignment", Array(64, uint32)}, {"s", "text"}});
  auto [loaded, metadata] = load_gguf(stream(content), "model");
  for (const auto& [name, array] : arrays) CHECK(to_string(loaded.at(name)) == to_string(array));
  CHECK(std::get<std::string>(metadata.at("s")) == "text");
  CHECK_THROWS_AS(save_gguf(append_to(content), {{"c", Array(complex64_t(1, 1))}}),
                  std::runtime_error);
  CHECK_THROWS_AS(save_gguf(append_to(content), {{"r", ones({1, 1, 1, 1, 1})}}),
                  std::invalid_argument);
  CHECK_THROWS_AS(save_gguf(append_to(content), {}, {{"general.alignment", Array(48, uint32)}}),
                  std::invalid_argument);
}

}  // namespace
}  // namespace heddle
