// Functions as files, from C++.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "heddle/heddle.h"

using namespace heddle;

namespace {

// A path of its own for each test, removed afterwards.
class Path {
 public:
  explicit Path(const char* suffix)
      : path_(std::filesystem::temp_directory_path() /
              ("heddle_export_" + std::to_string(getpid()) + suffix)) {}
  ~Path() { std::filesystem::remove(path_); }
  std::string text() const { return path_.string(); }
  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    return content.str();
  }

 private:
  std::filesystem::path path_;
};

bool all_equal(const Array& a, const Array& b) { return array_equal(a, b).item<bool>(); }

Arrays layer(const Arrays& x) {
  Array w = reshape(arange(12.0 / 1, 0.0, -1.0), {3, 4});
  Arrays parts = split(tanh(matmul(x[0], w)), 2, 1);
  return {parts[1], mean(x[0], 0), softmax(parts[0], -1)};
}

}  // namespace

TEST_CASE("functions run from files of both formats") {
  Array x = random::normal({2, 3}, float32, 0, 1, random::key(1));
  for (const char* suffix : {".mlxfn", ".heddle"}) {
    Path path(suffix);
    export_function(path.text(), layer, {x}, {false, "text"});
    ImportedFunction f = import_function(path.text());
    CHECK(f.metadata() == "text");
    CHECK(!f.shapeless());
    Arrays given = f({x}), wanted = layer({x});
    REQUIRE(given.size() == wanted.size());
    for (size_t i = 0; i < given.size(); i++) {
      CHECK(allclose(given[i], wanted[i], 1e-6).item<bool>());
    }
    std::string bytes = path.bytes();
    ImportedFunction same = import_function(bytes.data(), bytes.size(), "memory");
    CHECK(all_equal(same({x})[0], given[0]));
    CHECK_THROWS_AS(f({x, x}), std::invalid_argument);
    CHECK_THROWS_AS(f({astype(x, float16)}), std::invalid_argument);
  }
}

TEST_CASE("several traces and named arguments in one file") {
  Path path(".mlxfn");
  ExportedFunction fun = [](const Arrays& args, const NamedArguments& named) {
    Array sum = named.at("scale");
    for (const Array& a : args) sum = add(sum, a);
    return Arrays{sum};
  };
  Array one(1.0f), two({1.0f, 2.0f});
  {
    FunctionExporter e = exporter(path.text(), fun, {true, ""});
    e({one}, {{"scale", one}});
    e({two, two}, {{"scale", one}});
    CHECK_THROWS_AS(e({one}, {{"scale", one}}), std::runtime_error);
    e.close();
    CHECK_THROWS_AS(e({two}, {{"scale", one}}), std::runtime_error);
  }
  ImportedFunction f = import_function(path.text());
  CHECK(f.shapeless());
  Array three({1.0f, 2.0f, 3.0f});
  CHECK(all_equal(f({three, three}, {{"scale", one}})[0], Array({3.0f, 5.0f, 7.0f})));
  CHECK(f({one}, {{"scale", one}})[0].item<float>() == 2.0f);
  CHECK_THROWS_AS(f({one}, {{"other", one}}), std::invalid_argument);
}

TEST_CASE("shapeless functions follow sizes or say that they cannot") {
  Path path(".heddle");
  ExportOptions shapeless{true, ""};
  auto rows = [](const Arrays& a) { return Arrays{add(mean(a[0], {1}, true), zeros_like(a[0]))}; };
  export_function(path.text(), rows, {ones({2, 3})}, shapeless);
  CHECK(all_equal(import_function(path.text())({ones({4, 5})})[0], ones({4, 5})));

  auto literal = [](const Arrays& a) { return Arrays{reshape(a[0], {a[0].shape(0), -1})}; };
  export_function(path.text(), literal, {ones({2, 2, 3})}, shapeless);
  ImportedFunction f = import_function(path.text());
  CHECK(f({ones({2, 2, 3})})[0].shape() == Shape{2, 6});
  CHECK_THROWS_AS(f({ones({4, 2, 3})}), std::invalid_argument);
}

TEST_CASE("a failed export leaves nothing") {
  Path path(".mlxfn");
  auto fails = [](const Arrays&) -> Arrays { throw std::runtime_error("own"); };
  CHECK_THROWS_WITH(export_function(path.text(), fails, {Array(1)}), "own");
  CHECK(!std::filesystem::exists(path.text()));
  CHECK_THROWS_AS(export_function("/nowhere/at/all.mlxfn", layer, {Array(1)}), std::runtime_error);
}

TEST_CASE("callbacks see primitives with their attributes") {
  std::vector<ExportRecord> seen;
  export_function([&](const ExportRecord& r) { seen.push_back(r); },
                  [](const Arrays& a, const NamedArguments&) { return Arrays{sum(a[0], {1})}; },
                  {ones({2, 3})});
  REQUIRE(seen.size() == 6);
  CHECK(seen[0].inputs[0].name == "A");
  CHECK(seen[4].name == "Reduce");
  CHECK(std::get<int64_t>(seen[4].arguments[0]) == 2);
  CHECK(std::get<std::vector<int64_t>>(seen[4].arguments[1]) == std::vector<int64_t>{1});
  CHECK(seen[5].outputs[0].name == "B");
}

TEST_CASE("every prefix of a file is refused") {
  Path path(".mlxfn");
  export_function(path.text(), layer, {ones({2, 3})});
  std::string bytes = path.bytes();
  for (size_t n = 0; n < bytes.size(); n++) {
    CHECK_THROWS_AS(import_function(bytes.data(), n, "prefix"), UnsafeFileError);
  }
}

TEST_CASE("graphs as pictures") {
  Array a = add(Array({1.0f, 2.0f}), Array(1.0f));
  std::string text = export_to_dot({exp(a)}, {{a.id(), "a"}});
  CHECK(text.find("label =\"Exp\"") != std::string::npos);
  CHECK(text.find("\"a\" -> ") != std::string::npos);
}
