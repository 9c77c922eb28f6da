// Dialects and programs: what a format's calls mean, what is refused and all of it at once, sizes
// that follow, and the way from one format to another.
#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "convert/format.h"
#include "convert/program.h"
#include "convert/recorder.h"
#include "convert/stub/stub.h"
#include "convert/trace.h"
#include "heddle/heddle.h"
#include "thrown.h"

using namespace heddle;
using heddle::test::what_throws;
namespace stub = heddle::convert::stub;

namespace {

Program program_of(const std::string& text) {
  convert::Calls calls = stub::read(text, "text");
  const bool shapeless = !calls.dimensions.empty();
  return convert::program_of(std::move(calls), stub::dialect(), shapeless);
}

Report report_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ConversionError& e) {
    return e.report;
  }
  return {};
}

bool same(const Array& a, const Array& b) { return array_equal(a, b).item<bool>(); }
Array counted(const Shape& shape) {
  return reshape(arange(0.0, static_cast<double>(element_count(shape)), 1.0, float32), shape);
}

std::string temporary(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("heddle_test_convert_" + name)).string();
}

// Joins pairs of columns: the batch and the rest come from sizes.
constexpr const char* pairs = R"(
input x float32 batch=3 4
constant w 1 -1
n = Size x axis=0 @model.py:3
h = Scale x factor=2
p = Reshape h n shape=[2,2]
m = Mul p w @model.py:5
s = Sum m axes=[2] keep=0
output s
)";
Array pairs_by_hand(const Array& x) {
  const Array p = reshape(x * Array(2.0f), {x.shape(0), 2, 2});
  return sum(multiply(p, Array({1.0f, -1.0f})), 2, false);
}

}  // namespace

TEST_CASE("a foreign program is built for each signature of sizes") {
  const Program program = program_of(pairs);
  CHECK(program.report().runnable());
  CHECK(program.report().coverage() == 1.0);
  for (int64_t n : {3, 1, 7, 3, 0}) {
    const Array x = counted({n, 4});
    CHECK(same(program({x})[0], pairs_by_hand(x)));
  }
  const auto inputs = program.inputs(), outputs = program.outputs();
  REQUIRE(inputs.size() == 1);
  CHECK(inputs[0].name == "x");
  CHECK(inputs[0].dimensions == std::vector<std::string>{"batch", ""});
  CHECK(outputs[0].name == "s");
  CHECK(outputs[0].shape == Shape{3, 2});
  const auto steps = program.steps();
  REQUIRE(steps.size() == 5);
  CHECK(steps[3].op == "Mul");
  CHECK(steps[3].inputs == std::vector<std::string>{"p", "w"});
  CHECK(steps[3].origin == Origin{"m", "", "model.py:5"});
  CHECK(program.constants()[0].first == "w");
  // Derivatives go through it, and compilation.
  auto total = [&](const Arrays& in) { return Arrays{sum(square(program(in)[0]))}; };
  auto by_hand = [&](const Arrays& in) { return Arrays{sum(square(pairs_by_hand(in[0])))}; };
  const Array x = counted({5, 4});
  CHECK(same(vjp(total, {x}, {Array(1.0f)}).second[0], vjp(by_hand, {x}, {Array(1.0f)}).second[0]));
  CHECK(same(compile(total, true)({x})[0], by_hand({x})[0]));
  CHECK(same(compile(total, true)({counted({2, 4})})[0], by_hand({counted({2, 4})})[0]));
}

TEST_CASE("arguments that do not fit are refused with what is wanted") {
  const Program program = program_of(pairs);
  CHECK(what_throws([&] { program({}); }).find("Wanted are 1 positional") != std::string::npos);
  CHECK(what_throws([&] {
          program({counted({3, 5})});
        }) == "[Program] Axis 1 of input x has size 5; the program was made for 4 there.");
  CHECK(what_throws([&] {
          program({astype(counted({3, 4}), int32)});
        }).find("int32") != std::string::npos);
  CHECK(what_throws([&] { program({counted({12})}); }).find("(12) float32") != std::string::npos);
  const Program twins =
      program_of("input x float32 n=2\ninput y float32 n=2\nz = Add x y\noutput z");
  CHECK(what_throws([&] {
          twins({counted({3}), counted({1})});
        }).find("needs one, n") == std::string::npos);
  CHECK(what_throws([&] {
          twins({counted({3}), counted({1})});
        }).find("they had one size, n") != std::string::npos);
}

TEST_CASE("one report has all refusals, with their places") {
  const Report report = report_of([] {
    program_of(R"(
input x float32 2 3
a = Fold x @model.py:1
b = Add x x
c = Add b @model.py:3
d = Scale b factor=much
e = Reshape b shape=[4] @model.py:5
f = Add a b
g = Sum c axes=[7]
output f
)");
  });
  CHECK_FALSE(report.runnable());
  CHECK(report.steps == 7);
  CHECK(report.supported == 1);  // f and g wait for what is refused
  REQUIRE(report.issues.size() == 4);
  CHECK(report.issues[0].code == "R-OP-UNKNOWN");
  CHECK(report.issues[0].op == "Fold");
  CHECK(report.issues[0].origin.location == "model.py:1");
  CHECK(report.issues[1].message == "it cannot have 1 inputs");
  CHECK(report.issues[2].message == "the attribute factor is much");
  CHECK(report.issues[3].code == "R-OP-ARG");
  CHECK(report.issues[3].message.find("[reshape]") == 0);
  CHECK(to_string(report).find("R-OP-UNKNOWN Fold: heddle has no such operation of stub, a, "
                               "model.py:1") != std::string::npos);
  CHECK(report.to_json().find(R"("location":"model.py:1")") != std::string::npos);
  CHECK(std::isnan(Report{}.coverage()));
}

TEST_CASE("a shape that values decide is refused by its name") {
  const Report report = report_of(
      [] { program_of("input x float32 4\ninput n int64 1\ny = Reshape x n\noutput y"); });
  REQUIRE(report.issues.size() == 1);
  CHECK(report.issues[0].code == "B-SHAPE-DATA");
}

TEST_CASE("text that is no program is refused with its line") {
  const std::pair<const char*, const char*> texts[] = {
      {"", "line 1: there is no output"},
      {"input x float32 0\noutput x", "line 1: 0 is no size"},
      {"input x float33 2\noutput x", "line 1: float33 is no dtype"},
      {"input x float32 2\ny = Add x z\noutput y", "line 2: z is not known before its use"},
      {"input x float32 2\nx = Add x x\noutput x", "line 2: x is there already"},
      {"input x float32 2\n= Add x x\noutput x", "line 2: results, =, and an operation"},
      {"input x float32 2\ny = Sum x axes=[a]\noutput y", "line 2: a is no integer"},
      {"constant c 1 b\noutput c", "line 1: b is no number"},
  };
  for (const auto& [text, problem] : texts) {
    CAPTURE(text);
    CHECK(what_throws([&, t = text] { program_of(t); }).find(problem) != std::string::npos);
  }
}

// A row without a sample fails.
TEST_CASE("every row of the stub is run") {
  const std::map<std::string, std::pair<const char*, std::function<Array(const Array&)>>> samples{
      {"Add", {"Add x x", [](const Array& x) { return x + x; }}},
      {"Mul", {"Mul x x", [](const Array& x) { return x * x; }}},
      {"Scale", {"Scale x factor=0.5", [](const Array& x) { return x * Array(0.5f); }}},
      {"Sum", {"Sum x axes=[1] keep=1", [](const Array& x) { return sum(x, 1, true); }}},
      {"Size", {"Size x axis=1", [](const Array& x) { return Array(x.shape(1), int64); }}},
      {"Reshape", {"Reshape x shape=[-1]", [](const Array& x) { return flatten(x); }}},
      {"Split", {"Split x", [](const Array& x) { return split(x, 2, 0)[0]; }}},
  };
  std::vector<std::string> names;
  const Array x = counted({2, 3});
  for (const auto& [name, sample] : samples) {
    names.push_back(name);
    CAPTURE(name);
    const std::string results = name == "Split" ? "y z" : "y";
    const Program program =
        program_of("input x float32 2 3\n" + results + " = " + sample.first + "\noutput y");
    CHECK(same(program({x})[0], sample.second(x)));
  }
  CHECK(names == stub::dialect().calls());
  // What is written is read as the same.
  const std::map<std::string, std::function<Array(const Array&)>> written{
      {"Add", [](const Array& a) { return a + a; }},
      {"Multiply", [](const Array& a) { return a * a; }},
      {"Square", [](const Array& a) { return square(a); }},
      {"Reduce",
       [](const Array& a) {
         return sum(a, {0, 1}, true);
       }},
      {"Reshape",
       [](const Array& a) {
         return reshape(a, {3, 2});
       }},
  };
  names.clear();
  for (const auto& [name, f] : written) {
    names.push_back(name);
    CAPTURE(name);
    auto function = [f = f](const Arrays& in, const NamedArguments&) { return Arrays{f(in[0])}; };
    const convert::Calls calls = convert::trace(function, {x}, {}, stub::dialect());
    CHECK(same(program_of(stub::write(calls))({x})[0], f(x)));
  }
  CHECK(names == stub::dialect().ops());
}

TEST_CASE("what a format cannot hold is told at once") {
  Report report;
  auto f = [](const Arrays& in, const NamedArguments&) {
    return Arrays{max(sin(in[0]) + in[0], 0, true) * cos(in[0])};
  };
  convert::Tracing how;
  how.report = &report;
  convert::trace(f, {counted({2, 3})}, {}, stub::dialect(), how);
  CHECK(report.steps == 5);
  CHECK(report.supported == 2);
  REQUIRE(report.issues.size() == 3);
  CHECK(report.issues[0].op == "Sin");
  CHECK(report.issues[1].op == "Reduce");
  CHECK(report.issues[1].message == "the format has sums, and no other reductions");
  CHECK(report.issues[2].op == "Cos");
}

TEST_CASE("programs go from one format to others, with sizes that follow") {
  const Program program = program_of(pairs);
  CHECK(program.check("heddle").runnable());
  const std::string path = temporary("pairs.heddle");
  program.save(path);
  const Program loaded = Program::load(path);
  for (int64_t n : {3, 1, 8}) {
    const Array x = counted({n, 4});
    CHECK(same(loaded({x})[0], pairs_by_hand(x)));
  }
  CHECK(loaded.inputs()[0].dimensions == std::vector<std::string>{"batch", ""});
  std::string places;  // of its operations, where the text gives them
  for (const Program::Step& step : loaded.steps()) {
    places += fmt::format("{} {} {}; ", step.op, step.origin.name, step.origin.location);
  }
  CHECK(places == "Multiply h ; Reshape p ; Multiply m model.py:5; Reduce s ; Squeeze s ; ");
  CHECK(what_throws([&] { loaded({counted({3, 8})}); }).find("Axis 1") != std::string::npos);
  std::filesystem::remove(path);
  // The other format has only room for the number that follows the batch.
  const Report report = program.check("mlxfn");
  REQUIRE(report.issues.size() == 1);
  CHECK(report.issues[0].op == "Reshape");
  CHECK(report.issues[0].message.find("its shape follows a size, and MLX has only room") !=
        std::string::npos);
  const std::string other = temporary("pairs.mlxfn");
  CHECK(report_of([&] { program.save(other); }).issues.size() == 1);
  CHECK_FALSE(std::filesystem::exists(other));
  CHECK(what_throws([&] {
          program.save(temporary("pairs.onnx"));
        }).find("there are heddle (.heddle)") != std::string::npos);
  CHECK(what_throws([&] { program.check("onnx"); }).find("onnx names no format") !=
        std::string::npos);
}

TEST_CASE("a format that is registered is read and written") {
  const std::string path = temporary("pairs.stub"), other = temporary("again.heddle");
  auto f = [](const Arrays& in, const NamedArguments&) {
    return Arrays{sum(square(in[0]) + in[0], 1, true)};
  };
  const Program program = Program::trace(f, {counted({3, 4})}, {}, {{"batch"}});
  CHECK(program.check("stub").runnable());
  program.save(path);
  const Program loaded = Program::load(path);
  CHECK(loaded.report().dialect == "stub");
  loaded.save(other);
  for (const Program& p : {loaded, Program::load(other)}) {
    for (int64_t n : {3, 5}) {
      CHECK(same(p({counted({n, 4})})[0], f({counted({n, 4})}, {})[0]));
    }
  }
  std::filesystem::remove(path);
  std::filesystem::remove(other);
  using convert::RegisterFormat;
  CHECK_THROWS_AS(RegisterFormat({"stub", ".other", nullptr}), std::logic_error);
  CHECK_THROWS_AS(RegisterFormat({"other", ".stub", nullptr}), std::logic_error);
}

TEST_CASE("numbers that a function computes from named sizes follow them") {
  auto f = [](const Arrays& in, const NamedArguments& named) {
    const Array &x = in[0], &w = named.at("w");
    const int64_t n = x.shape(0), m = x.shape(1);
    const Array y = reshape(x / Array(static_cast<float>(2 * n - 1)), {m, n});
    const Array tail = slice(y, {0, 1}, {m, n});
    return Arrays{concatenate({tail, zeros({m, 3 * n + m})}, 1), matmul(x, w),
                  arange(0.0, static_cast<double>(n + m), 1.0, float32)};
  };
  const NamedArguments w{{"w", counted({4, 2})}};
  const Program program = Program::trace(f, {counted({3, 4})}, w, {{"n", "m"}, {"m"}});
  const std::string path = temporary("named.heddle");
  program.save(path);
  for (const Program& p : {program, Program::load(path)}) {
    for (auto [n, m] : {std::pair(3, 4), std::pair(4, 3), std::pair(7, 2), std::pair(2, 9)}) {
      const Arrays in{counted({n, m})};
      const NamedArguments other{{"w", counted({m, 2})}};
      const Arrays wanted = f(in, other), is = p(in, other);
      REQUIRE(is.size() == 3);
      for (size_t k = 0; k < 3; k++) {
        CAPTURE(k);
        CAPTURE(n);
        CHECK(same(is[k], wanted[k]));
      }
    }
    CHECK(p.inputs()[1].name == "w");
    CHECK(p.inputs()[1].dimensions == std::vector<std::string>{"m", ""});
    CHECK(p.positional_count() == 1);
  }
  std::filesystem::remove(path);
}

TEST_CASE("numbers that do not follow a named size are refused by name") {
  using Plain = std::function<Array(const Array&)>;
  const std::tuple<const char*, Plain, const char*> functions[] = {
      {"a half", [](const Array& x) { return slice(x, {0}, {x.shape(0) / 2}); }, "stop of Slice"},
      {"a root",
       [](const Array& x) { return x * Array(std::sqrt(static_cast<float>(x.shape(0)))); },
       "constant"},
      {"a branch", [](const Array& x) { return x.shape(0) > 4 ? x + x : sin(x); },
       "it does not serve other sizes: step 0 is Add there, Sin here"},
      {"one size only", [](const Array& x) { return x + counted({4}); }, "[broadcast_shapes]"},
  };
  for (const auto& [name, plain, problem] : functions) {
    CAPTURE(name);
    auto f = [p = plain](const Arrays& in, const NamedArguments&) { return Arrays{p(in[0])}; };
    const std::string said = what_throws([&] { Program::trace(f, {counted({4})}, {}, {{"n"}}); });
    CHECK_MESSAGE(said.find("[Program] The size n cannot change: ") == 0, said);
    CHECK_MESSAGE(said.find(problem) != std::string::npos, said);
    CHECK(same(Program::trace(f, {counted({4})})({counted({4})})[0], plain(counted({4}))));
  }
  // A branch shows at the sizes that are looked at: one more, three more, one less, twice as much.
  for (const int64_t border : {4, 5, 7, 8}) {
    CAPTURE(border);
    auto f = [border](const Arrays& in, const NamedArguments&) {
      return Arrays{in[0].shape(0) >= border ? in[0] + in[0] : sin(in[0])};
    };
    CHECK(what_throws([&] {
            Program::trace(f, {counted({4})}, {}, {{"n"}});
          }).find("The size n cannot change") != std::string::npos);
  }
  // At one much is different: there the program says so.
  auto one = [](const Arrays& in, const NamedArguments&) {
    return Arrays{in[0].shape(0) == 1 ? sin(in[0]) : in[0] + in[0]};
  };
  const Program more = Program::trace(one, {counted({4})}, {}, {{"n"}});
  CHECK(same(more({counted({2})})[0], one({counted({2})}, {})[0]));
  CHECK(what_throws([&] { more({counted({1})}); }).find("less than 2") != std::string::npos);
  // Each size alone is followed, and their product is not their sum.
  auto product = [](const Arrays& in, const NamedArguments&) {
    return Arrays{reshape(in[0], {in[0].shape(0) * in[0].shape(1)})};
  };
  const std::string said = what_throws([&] {
    Program::trace(product, {counted({2, 3})}, {}, {{"n", "m"}});
  });
  CHECK_MESSAGE(said.find("a product of sizes") != std::string::npos, said);
  auto g = [](const Arrays& in, const NamedArguments&) { return in; };
  CHECK(what_throws([&] {
          Program::trace(g, {counted({2})}, {}, {{"n", "m"}});
        }).find("2 names of") != std::string::npos);
  CHECK(what_throws([&] {
          Program::trace(g, {counted({2, 3})}, {}, {{"n", "n"}});
        }).find("The size n is 2 in axis 0 of input 0, and 3") != std::string::npos);
}

TEST_CASE("equal numbers of which one follows a size are not taken for each other") {
  auto f = [](const Arrays& in, const NamedArguments&) {
    const Array& x = in[0];  // (4, 4): the second axis stays
    const Array a = broadcast_to(sum(x, 1, true), {x.shape(0), 4});
    const Array b = zeros({x.shape(0), 4}) + Array(static_cast<float>(x.shape(0)));
    return Arrays{a, b, zeros({4, 4}) + Array(4.0f)};
  };
  const Program program = Program::trace(f, {counted({4, 4})}, {}, {{"n"}});
  const Array x = counted({6, 4});
  const Arrays wanted = f({x}, {}), is = program({x});
  for (size_t k = 0; k < wanted.size(); k++) CHECK(same(is[k], wanted[k]));
}

TEST_CASE("a comparison names the first step that differs") {
  const Program program = program_of(pairs);
  const Array x = counted({3, 4});
  Reference right{
      [](const Arrays& in, const NamedArguments&) { return Arrays{pairs_by_hand(in[0])}; }};
  const Verification same_results = program.verify(right, {x});
  CHECK(same_results.ok);
  CHECK(same_results.max_abs == 0);
  Reference wrong{[](const Arrays& in, const NamedArguments&) {
    return Arrays{pairs_by_hand(in[0]) + Array(1.0f)};
  }};
  wrong.value_of = [&](const Origin&, const std::string& output) {
    const Array p = reshape(x * Array(2.0f), {3, 2, 2});
    if (output == "h") return x * Array(2.0f);
    if (output == "m") return p * Array({1.0f, -1.5f});
    return Array();
  };
  const Verification v = program.verify(wrong, {x});
  CHECK_FALSE(v.ok);
  CHECK(v.max_abs == 1.0);
  CHECK(v.problem == "result 0: element 0 is -2, the reference has -1");
  CHECK(v.first_diverging_op == "Mul");
  CHECK(v.origin.location == "model.py:5");
  // Within a tolerance of the largest; shapes, dtypes, NaN exactly.
  auto times = [](float f) {
    return Reference{[f](const Arrays& in, const NamedArguments&) {
      return Arrays{pairs_by_hand(in[0]) * Array(f)};
    }};
  };
  CHECK(program.verify(times(1.000001f), {x}).ok);
  CHECK_FALSE(program.verify(times(1.001f), {x}).ok);
  CHECK(program.verify(times(1.001f), {x}, {}, {0.01}).ok);
  CHECK_FALSE(program.verify(times(std::nanf("")), {x}, {}, {0.01}).ok);
  auto halves = [](const Arrays& in, const NamedArguments&) {
    return Arrays{astype(pairs_by_hand(in[0]), float16)};
  };
  CHECK(program.verify({halves}, {x}).problem.find("the reference is float16") !=
        std::string::npos);
}

TEST_CASE("a program is called from several threads") {
  const Program program = program_of(pairs);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; i++) {
        const Array x = counted({1 + (i * 7 + t) % 11, 4});
        right += same(program({x})[0], pairs_by_hand(x));
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(right == 200);
}

TEST_CASE("operations that cannot leave the process are refused together") {
  CustomRules rules;
  rules.vjp = [](const Arrays&, const Arrays& g, const Arrays&) { return g; };
  const Function hidden =
      custom_function([](const Arrays& in) { return Arrays{in[0] + Array(1.0f)}; }, rules);
  auto f = [&](const Arrays& in, const NamedArguments&) { return hidden(hidden(in)); };
  const Report report = report_of([&] { Program::trace(f, {counted({2})}); });
  CHECK(report.issues.size() == 2);
  CHECK(report.supported == report.steps - 2);
}
